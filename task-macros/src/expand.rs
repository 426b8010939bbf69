//! `#[task]` from beginning to end: read, check, write, and fall back where it must.

pub(crate) mod arguments;
pub(crate) mod calls;
mod entry;
mod run;

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Attribute, Ident};

use crate::attributes::Attributes;
use crate::forward;
use crate::item::Function;
use crate::mistakes::Mistakes;
use crate::signature::{Output, Shape};
use crate::{fallback, paths};

/// What `#[task(list)] item` becomes.
pub(crate) fn task(list: TokenStream, item: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let attributes = Attributes::read(list, &mut mistakes);
    let Some(mut function) = mistakes.keep(Function::read(&item)) else {
        return fallback::untouched(&item, mistakes);
    };
    refuse_a_second_task(&mut function, &mut mistakes);
    let asked = attributes.takes_context.as_ref();
    let Some(shape) = Shape::read(&mut function.signature, asked, &mut mistakes) else {
        return fallback::untouched(&function, mistakes);
    };
    let task = Task {
        attributes: &attributes,
        function: &function,
        shape: &shape,
    };
    let generated = if shape.is_callable {
        task.expand()
    } else {
        fallback::stand_in(&task)
    };
    let mistakes = mistakes.into_tokens();
    quote!(#function #generated #mistakes)
}

/// Refuses a second `#[task]` and takes it off: left there, it would define everything
/// a second time.
fn refuse_a_second_task(function: &mut Function, mistakes: &mut Mistakes) {
    let is_task = |attribute: &Attribute| {
        attribute
            .path()
            .segments
            .last()
            .is_some_and(|segment| segment.ident == "task")
    };
    for attribute in function.attributes.extract_if(.., |attribute| is_task(attribute)) {
        mistakes.at(attribute, "`#[task]` is here twice: write all keys in one");
    }
}

/// A function that is a task, and what is known about it.
pub(crate) struct Task<'a> {
    pub(crate) attributes: &'a Attributes,
    pub(crate) function: &'a Function,
    pub(crate) shape: &'a Shape,
}

impl Task<'_> {
    fn expand(&self) -> TokenStream {
        let (name, krate, conditions) = (self.name(), self.krate(), self.conditions());
        let output = self.output_item();
        let private = self.private();
        let (arguments, calls) = (arguments::structure(self), calls::functions(self));
        let (run, entry) = (run::function(self), entry::constant(self));
        let queue = entry::queue_check(self);
        let quiet = quiet();
        quote! {
            #arguments
            #calls
            #conditions
            #quiet
            const _: () = {
                #run
                #entry
                #[automatically_derived]
                impl #krate::Task for #name {
                    #output
                    const ENTRY: &'static #krate::TaskEntry = &__TASK_ENTRY;
                }
                #private::inventory::submit! {
                    #private::Registered(&__TASK_ENTRY)
                }
            };
            #queue
        }
    }

    /// The function's name, which is the struct's as well.
    pub(crate) fn name(&self) -> &Ident {
        &self.function.signature.ident
    }

    pub(crate) fn krate(&self) -> TokenStream {
        self.krate_at(Span::call_site())
    }

    pub(crate) fn private(&self) -> TokenStream {
        self.private_at(Span::call_site())
    }

    /// The crate's path, for errors that are to be shown at this place.
    pub(crate) fn krate_at(&self, span: Span) -> TokenStream {
        paths::at(self.attributes.krate.as_ref(), &quote!(::task_core), span)
    }

    pub(crate) fn private_at(&self, span: Span) -> TokenStream {
        let krate = self.krate_at(span);
        quote_spanned!(span=> #krate::__private)
    }

    pub(crate) fn conditions(&self) -> TokenStream {
        forward::conditions(&self.function.attributes)
    }

    /// The item that says so, at the type: whatever the compiler has against it is shown there.
    pub(crate) fn output_item(&self) -> TokenStream {
        let output = self.output();
        quote_spanned!(paths::span_of(&output)=> type Output = #output;)
    }

    /// What a successful call leaves behind.
    pub(crate) fn output(&self) -> TokenStream {
        match &self.shape.output {
            Output::Unit => quote!(()),
            Output::Plain(ty) => quote!(#ty),
            Output::Fallible {
                value: Some(value), ..
            } => quote!(#value),
            Output::Fallible { ty, value: None } => {
                let private = self.private_at(paths::span_of(ty));
                quote_spanned!(paths::span_of(ty)=> <#ty as #private::ResultType>::Value)
            }
        }
    }
}

/// Keeps lints about code that a person wrote away from code that nobody did.
pub(crate) fn quiet() -> TokenStream {
    quote! {
        #[allow(
            clippy::all,
            clippy::nursery,
            clippy::pedantic,
            clippy::restriction,
            deprecated,
            non_camel_case_types,
            non_snake_case,
            private_bounds,
            private_interfaces,
            unreachable_pub,
            unused,
            unused_qualifications
        )]
    }
}
