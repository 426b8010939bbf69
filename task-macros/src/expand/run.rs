//! The function a worker calls: arguments as JSON in, return value as JSON out.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

use super::Task;
use crate::signature::Output;

/// Names that only generated code can see, so that no argument is hidden by them.
struct Locals {
    arguments: Ident,
    context: Ident,
    output: Ident,
}

pub(super) fn function(task: &Task<'_>) -> TokenStream {
    let local = |name| Ident::new(name, Span::mixed_site());
    let locals = Locals {
        arguments: local("arguments"),
        context: local("context"),
        output: local("output"),
    };
    let Locals {
        arguments, context, ..
    } = &locals;
    let (name, krate, private) = (task.name(), task.krate(), task.private());
    let running = if task.shape.is_async {
        awaited(task, &locals)
    } else {
        on_the_blocking_pool(task, &locals)
    };
    quote! {
        fn __task_run(#arguments: &::core::primitive::str, #context: #krate::TaskContext) -> #private::RunFuture {
            let #arguments = match #private::decode::<#name>(#arguments) {
                ::core::result::Result::Ok(arguments) => arguments,
                ::core::result::Result::Err(failure) => return #private::failed(failure),
            };
            #running
        }
    }
}

fn awaited(task: &Task<'_>, locals: &Locals) -> TokenStream {
    let (output, call, finish) = (&locals.output, call(task, locals), finish(task, locals));
    // At the function's name: a future that is not `Send` is reported here.
    quote_spanned! {task.name().span()=>
        ::std::boxed::Box::pin(async move {
            let #output = #call.await;
            #finish
        })
    }
}

/// The return value is written on the pool as well: neither it nor an error has to
/// move between threads.
fn on_the_blocking_pool(task: &Task<'_>, locals: &Locals) -> TokenStream {
    let (output, call, finish) = (&locals.output, call(task, locals), finish(task, locals));
    let private = task.private();
    quote! {
        ::std::boxed::Box::pin(async move {
            let run = move || {
                let #output = #call;
                #finish
            };
            match #private::run_blocking(run).await {
                ::core::result::Result::Ok(finished) => finished,
                ::core::result::Result::Err(failure) => ::core::result::Result::Err(failure),
            }
        })
    }
}

fn call(
    task: &Task<'_>,
    Locals {
        arguments, context, ..
    }: &Locals,
) -> TokenStream {
    let name = task.name();
    let context = task.shape.takes_context.then(|| quote!(#context,));
    let passed = task.shape.parameters.iter().map(|parameter| {
        let (field, conditions) = (&parameter.name, &parameter.conditions);
        quote!(#(#conditions)* #arguments.#field)
    });
    quote!(#name(#context #(#passed),*))
}

/// What the call left behind, as text or as failure.
fn finish(task: &Task<'_>, Locals { output, .. }: &Locals) -> TokenStream {
    let private = task.private();
    match &task.shape.output {
        Output::Unit | Output::Plain(_) => quote!(#private::encode(&#output)),
        Output::Fallible { .. } => quote! {
            match #output {
                ::core::result::Result::Ok(value) => #private::encode(&value),
                ::core::result::Result::Err(error) => {
                    use #private::{DescribeDeref as _, DescribeDisplay as _, DescribeError as _};
                    ::core::result::Result::Err((&&&#private::Described(&error)).task_failure())
                }
            }
        },
    }
}
