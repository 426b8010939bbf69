//! `new`, `enqueue`, `enqueue_many` and `get_result` of a task.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

use super::Task;
use crate::parameters::{Parameter, ParameterKind};
use crate::signature::Output;
use crate::{paths, types};

/// The inherent functions. They are as visible as the function: where one can be
/// named, so can the others.
pub(crate) fn functions(task: &Task<'_>) -> TokenStream {
    let (name, visibility) = (task.name(), &task.function.visibility);
    let krate = task.krate();
    let parameters = &task.shape.parameters;
    let accepted: Vec<_> = parameters.iter().map(accepted).collect();
    let passed: Vec<_> = parameters.iter().map(passed).collect();
    let refused = parameters
        .iter()
        .filter(|parameter| !parameter.is_stored())
        .map(self::passed);
    let fields = parameters.iter().filter_map(field);
    let Futures { one, many, place } = Futures::of(task);
    let there = task.private_at(place);
    let [enqueue_one, enqueue_all, look_up] = [
        quote_spanned!(place=> #there::enqueue),
        quote_spanned!(place=> #there::enqueue_many),
        quote_spanned!(place=> #there::get_result::<Self>),
    ];
    // At the user's name: an error in a call then shows the function that was meant.
    let [new, enqueue, enqueue_many, get_result] =
        ["new", "enqueue", "enqueue_many", "get_result"].map(|function| Ident::new(function, name.span()));
    quote! {
        impl #name {
            /// A call of this task with these arguments, not enqueued yet.
            #visibility fn #new(#(#accepted),*) -> #krate::TaskCall<Self> {
                #(let _ = #refused;)*
                #krate::TaskCall::new(Self { #(#fields),* })
            }

            /// Puts a call of this task with these arguments in its queue.
            #visibility fn #enqueue(#(#accepted),*) -> #one {
                #enqueue_one(Self::new(#(#passed),*))
            }

            /// Puts many calls of this task in their queues, in few round trips.
            #visibility fn #enqueue_many(
                calls: impl ::core::iter::IntoIterator<Item = #krate::TaskCall<Self>>,
            ) -> #many {
                #enqueue_all(calls)
            }

            /// The result of the call with this id.
            #visibility fn #get_result(id: #krate::TaskId) -> #one {
                #look_up(id)
            }
        }
    }
}

/// The return types of the functions that give one result and many.
///
/// They are boxed futures and not `impl Future`: that would hold on to every `impl Into<..>`
/// among the arguments, and so to whatever those borrow.
struct Futures {
    one: TokenStream,
    many: TokenStream,
    /// Where mistakes in them are shown.
    place: Span,
}

impl Futures {
    fn of(task: &Task<'_>) -> Self {
        // A type that is no `Result` is noticed here again. Named through the trait and shown
        // at the type, that is the same error once more, and therefore not shown.
        let (place, output) = match &task.shape.output {
            Output::Fallible { ty, value: None, .. } => (paths::span_of(ty), None),
            _ => (Span::call_site(), Some(task.output())),
        };
        let krate = task.krate_at(place);
        let output = output.unwrap_or_else(|| quote_spanned!(place=> <Self as #krate::Task>::Output));
        let result = quote_spanned!(place=> #krate::TaskResult<#output>);
        let future = |output: TokenStream| {
            quote_spanned! {place=>
                ::core::pin::Pin<::std::boxed::Box<
                    dyn ::core::future::Future<Output = #krate::Result<#output>> + ::core::marker::Send
                >>
            }
        };
        Self {
            one: future(result.clone()),
            many: future(quote_spanned!(place=> ::std::vec::Vec<#result>)),
            place,
        }
    }
}

/// A parameter of `new` and `enqueue`.
fn accepted(parameter: &Parameter) -> TokenStream {
    let (name, conditions) = (&parameter.name, &parameter.conditions);
    let ty = match &parameter.kind {
        ParameterKind::Refused { ty: None } => quote!(impl ::core::marker::Sized),
        ParameterKind::Stored { ty, .. } | ParameterKind::Refused { ty: Some(ty) } => {
            if types::is_made_with_into(ty) {
                quote!(impl ::core::convert::Into<#ty>)
            } else {
                quote!(#ty)
            }
        }
    };
    quote!(#conditions #name: #ty)
}

fn passed(parameter: &Parameter) -> TokenStream {
    let (name, conditions) = (&parameter.name, &parameter.conditions);
    quote!(#conditions #name)
}

/// A field of the struct, made from the parameter of its name.
fn field(parameter: &Parameter) -> Option<TokenStream> {
    let ParameterKind::Stored { ty, .. } = &parameter.kind else {
        return None;
    };
    let (name, conditions) = (&parameter.name, &parameter.conditions);
    Some(if types::is_made_with_into(ty) {
        quote!(#conditions #name: ::core::convert::Into::into(#name))
    } else {
        quote!(#conditions #name)
    })
}
