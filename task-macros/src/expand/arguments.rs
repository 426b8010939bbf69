//! The struct of arguments, named like the function, and how it is stored.
//!
//! Not by a derive: of a type that cannot be stored it would complain in every place that
//! tries. Here each place uses the same words, so that the compiler says it once.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{LitStr, Type};

use super::{Task, quiet};
use crate::parameters::ParameterKind;
use crate::{forward, paths};

/// The struct.
pub(crate) fn structure(task: &Task<'_>) -> TokenStream {
    declaration(task, &fields(task))
}

/// How it is stored and read back.
pub(crate) fn storage(task: &Task<'_>) -> TokenStream {
    let fields = fields(task);
    let (written, read) = (written(task, &fields), read(task, &fields));
    let (name, private) = (task.name(), task.private());
    let names = fields.iter().map(Field::listed);
    let former = fields.iter().any(|field| !field.aliases.is_empty()).then(|| {
        let former = fields.iter().map(Field::former);
        quote!(const FORMER: &'static [&'static ::core::primitive::str] = &[#(#former)*];)
    });
    quote! {
        #[automatically_derived]
        impl #private::serde::Serialize for #name {
            #written
        }
        #[automatically_derived]
        impl<'de> #private::serde::Deserialize<'de> for #name {
            fn deserialize<__D: #private::serde::Deserializer<'de>>(
                deserializer: __D,
            ) -> ::core::result::Result<Self, __D::Error> {
                #private::read_arguments(deserializer)
            }
        }
        #[automatically_derived]
        impl #private::TaskArguments for #name {
            const NAMES: &'static [&'static ::core::primitive::str] = &[#(#names),*];
            #former
            #read
        }
    }
}

/// With braces: the name of a tuple or unit struct would also be a value, and hide the
/// function.
fn declaration(task: &Task<'_>, fields: &[Field<'_>]) -> TokenStream {
    let (name, visibility) = (task.name(), &task.function.visibility);
    let forwarded = forward::on_the_struct(&task.function.attributes);
    let fields = fields.iter().map(|field| field.declared(task));
    let quiet = quiet();
    // At the function's name: another type of that name is reported there.
    let place = Span::call_site().located_at(name.span());
    let declaration = quote_spanned!(place=> struct #name { #(#fields)* });
    quote! {
        #forwarded
        #[doc = ""]
        #[doc = "These are the arguments of the task; `enqueue` puts a call of it in its queue."]
        #quiet
        #visibility #declaration
    }
}

fn written(task: &Task<'_>, fields: &[Field<'_>]) -> TokenStream {
    let (private, struct_name) = (task.private(), task.name().unraw().to_string());
    let fields = fields.iter().map(|field| field.written(task));
    quote! {
        fn serialize<__S: #private::serde::Serializer>(
            &self,
            serializer: __S,
        ) -> ::core::result::Result<__S::Ok, __S::Error> {
            let names = <Self as #private::TaskArguments>::NAMES;
            let mut object = #private::WrittenObject::begin(serializer, #struct_name, names.len());
            #(#fields)*
            object.end()
        }
    }
}

fn read(task: &Task<'_>, fields: &[Field<'_>]) -> TokenStream {
    let private = task.private();
    let places = fields.iter().map(Field::place);
    let arms = fields.iter().map(|field| field.read(task));
    let taken = fields.iter().map(|field| field.taken(task));
    let values = fields.iter().map(Field::value);
    quote! {
        fn read<'de, __A: #private::serde::de::MapAccess<'de>>(
            mut object: #private::StoredObject<'de, __A>,
        ) -> ::core::result::Result<Self, __A::Error> {
            #(#places)*
            while let ::core::option::Option::Some(name) = object.next_name(Self::NAMES, Self::FORMER) {
                match name {
                    #(#arms)*
                    _ => {}
                }
            }
            #(#taken)*
            object.end(::core::option::Option::Some(Self { #(#values)* }))
        }
    }
}

/// An argument that is stored.
struct Field<'a> {
    name: &'a Ident,
    /// What it is called in the stored object.
    stored_as: String,
    ty: &'a Type,
    /// What it was called once.
    aliases: &'a [LitStr],
    may_be_missing: bool,
    conditions: &'a TokenStream,
    /// The variable that holds it while the object is read.
    place: Ident,
}

fn fields<'a>(task: &Task<'a>) -> Vec<Field<'a>> {
    let mut fields = Vec::new();
    for parameter in &task.shape.parameters {
        if let ParameterKind::Stored {
            ty,
            may_be_missing,
            aliases,
        } = &parameter.kind
        {
            fields.push(Field {
                name: &parameter.name,
                stored_as: parameter.name.unraw().to_string(),
                ty,
                aliases,
                may_be_missing: *may_be_missing,
                conditions: &parameter.conditions,
                place: format_ident!("place_{}", fields.len(), span = Span::mixed_site()),
            });
        }
    }
    fields
}

impl Field<'_> {
    fn declared(&self, task: &Task<'_>) -> TokenStream {
        let Self {
            name, ty, conditions, ..
        } = self;
        let visibility = &task.function.visibility;
        let doc = format!("The argument `{}`.", self.stored_as);
        quote!(#conditions #[doc = #doc] #visibility #name: #ty,)
    }

    fn listed(&self) -> TokenStream {
        let (conditions, name) = (self.conditions, &self.stored_as);
        quote!(#conditions #name)
    }

    fn former(&self) -> TokenStream {
        let (conditions, aliases) = (self.conditions, self.aliases);
        quote!(#(#conditions #aliases,)*)
    }

    fn written(&self, task: &Task<'_>) -> TokenStream {
        let Self {
            name,
            stored_as,
            conditions,
            ..
        } = self;
        let write = self.function(task, "write");
        quote!(#conditions #write(&self.#name, #stored_as, &mut object);)
    }

    fn place(&self) -> TokenStream {
        let (conditions, place) = (self.conditions, &self.place);
        quote!(#conditions let mut #place = ::core::option::Option::None;)
    }

    fn read(&self, task: &Task<'_>) -> TokenStream {
        let Self {
            place,
            stored_as,
            conditions,
            ..
        } = self;
        let read = self.function(task, "read");
        let aliases = self.aliases;
        quote!(#conditions #stored_as #(| #aliases)* => #read(&mut #place, #stored_as, &mut object),)
    }

    /// The value out of its place.
    fn taken(&self, task: &Task<'_>) -> TokenStream {
        let Self {
            place,
            stored_as,
            conditions,
            ..
        } = self;
        if self.may_be_missing {
            let (ty, span) = (self.ty, paths::span_of(self.ty));
            let private = task.private_at(span);
            let value = quote_spanned!(span=> <#ty as #private::MissingArgument>::or_default(#place));
            quote!(#conditions let #place = #value;)
        } else {
            quote! {
                #conditions
                let ::core::option::Option::Some(#place) = object.required(#place, #stored_as) else {
                    return object.end(::core::option::Option::None);
                };
            }
        }
    }

    fn value(&self) -> TokenStream {
        let Self {
            name,
            place,
            conditions,
            ..
        } = self;
        quote!(#conditions #name: #place,)
    }

    /// A function of `TaskArgument`, in words that differ only by the type.
    fn function(&self, task: &Task<'_>, name: &str) -> TokenStream {
        let (ty, span) = (self.ty, paths::span_of(self.ty));
        let (private, name) = (task.private_at(span), Ident::new(name, span));
        quote_spanned!(span=> <#ty as #private::TaskArgument>::#name)
    }
}
