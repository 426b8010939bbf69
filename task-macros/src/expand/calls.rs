//! `new`, `enqueue`, `enqueue_many` and `get_result` of a task.

use proc_macro2::TokenStream;
use quote::quote;

use super::{Task, quiet};
use crate::signature::{Output, Parameter, ParameterKind};
use crate::types;

/// The inherent functions. They are as visible as the function: where one can be
/// named, so can the others.
pub(crate) fn functions(task: &Task<'_>) -> TokenStream {
    let (name, visibility) = (task.name(), &task.function.visibility);
    let (krate, private, conditions) = (task.krate(), task.private(), task.conditions());
    let parameters = &task.shape.parameters;
    let accepted: Vec<_> = parameters.iter().map(accepted).collect();
    let passed = parameters
        .iter()
        .map(|Parameter { name, conditions, .. }| quote!(#(#conditions)* #name));
    let fields = parameters.iter().filter_map(field);
    let result = result(task);
    let (one, many) = (
        future(&krate, &result),
        future(&krate, &quote!(::std::vec::Vec<#result>)),
    );
    let quiet = quiet();
    quote! {
        #conditions
        #quiet
        impl #name {
            /// A call of this task with these arguments, not enqueued yet.
            #visibility fn new(#(#accepted),*) -> #krate::TaskCall<Self> {
                #krate::TaskCall::new(Self { #(#fields),* })
            }

            /// Puts a call of this task with these arguments in its queue.
            #visibility fn enqueue(#(#accepted),*) -> #one {
                ::std::boxed::Box::pin(#krate::TaskCall::enqueue(Self::new(#(#passed),*)))
            }

            /// Puts many calls of this task in their queues, in few round trips.
            #visibility fn enqueue_many(
                calls: impl ::core::iter::IntoIterator<Item = #krate::TaskCall<Self>>,
            ) -> #many {
                let calls = ::core::iter::IntoIterator::into_iter(calls);
                let calls: ::std::vec::Vec<_> = ::core::iter::Iterator::collect(calls);
                ::std::boxed::Box::pin(#private::enqueue_many(calls))
            }

            /// The result of the call with this id.
            #visibility fn get_result(id: #krate::TaskId) -> #one {
                ::std::boxed::Box::pin(#private::get_result::<Self>(id))
            }
        }
    }
}

/// A boxed future and not `impl Future`: that would hold on to every `impl Into<..>`
/// among the arguments, and so to whatever those borrow.
fn future(krate: &TokenStream, output: &TokenStream) -> TokenStream {
    quote! {
        ::core::pin::Pin<::std::boxed::Box<
            dyn ::core::future::Future<Output = #krate::Result<#output>> + ::core::marker::Send
        >>
    }
}

fn result(task: &Task<'_>) -> TokenStream {
    let krate = task.krate();
    let output = match &task.shape.output {
        // Named through the trait, a type that is no `Result` is a mistake in one place only.
        Output::Fallible { value: None, .. } => quote!(<Self as #krate::Task>::Output),
        _ => task.output(),
    };
    quote!(#krate::TaskResult<#output>)
}

fn accepted(
    Parameter {
        name,
        conditions,
        kind,
    }: &Parameter,
) -> TokenStream {
    let ty = match kind {
        ParameterKind::Stored { ty, .. } | ParameterKind::Refused { ty: Some(ty) } => {
            if types::is_made_with_into(ty) {
                quote!(impl ::core::convert::Into<#ty>)
            } else {
                quote!(#ty)
            }
        }
        ParameterKind::Refused { ty: None } => quote!(impl ::core::marker::Sized),
    };
    quote!(#(#conditions)* #name: #ty)
}

fn field(
    Parameter {
        name,
        conditions,
        kind,
    }: &Parameter,
) -> Option<TokenStream> {
    let value = match kind {
        ParameterKind::Stored { ty, .. } if types::is_made_with_into(ty) => {
            quote!(#name: ::core::convert::Into::into(#name))
        }
        ParameterKind::Stored { .. } => quote!(#name),
        ParameterKind::Refused { .. } => return None,
    };
    Some(quote!(#(#conditions)* #value))
}
