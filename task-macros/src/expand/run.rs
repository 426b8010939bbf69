//! The function a worker calls: arguments as JSON in, return value as JSON out.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Type;

use super::Task;
use crate::paths;
use crate::signature::Output;

/// Names that only generated code can see, so that no function or argument is hidden.
struct Locals {
    arguments: Ident,
    context: Ident,
    limit: Ident,
    output: Ident,
    error: Ident,
}

impl Locals {
    fn new() -> Self {
        let local = |name| Ident::new(name, Span::mixed_site());
        Self {
            arguments: local("arguments"),
            context: local("context"),
            limit: local("limit"),
            output: local("output"),
            error: local("error"),
        }
    }
}

pub(super) fn function(task: &Task<'_>) -> TokenStream {
    let locals = Locals::new();
    let (arguments, context, limit) = (&locals.arguments, &locals.context, &locals.limit);
    let (name, krate, private) = (task.name(), task.krate(), task.private());
    let running = if task.shape.is_async {
        awaited(task, &locals)
    } else {
        on_the_blocking_pool(task, &locals)
    };
    let let_arguments = if task.shape.parameters.is_empty() {
        quote!(_)
    } else {
        quote!(#arguments)
    };
    quote! {
        fn __task_run(#arguments: &::core::primitive::str, #context: #krate::TaskContext) -> #private::RunFuture {
            let #let_arguments = match #private::decode::<#name>(#arguments) {
                ::core::result::Result::Ok(arguments) => arguments,
                ::core::result::Result::Err(failure) => return #private::failed(failure),
            };
            let #limit = #private::result_limit(&#context);
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

fn call(task: &Task<'_>, locals: &Locals) -> TokenStream {
    let (name, context, arguments) = (task.name(), &locals.context, &locals.arguments);
    let context = task.shape.takes_context.then(|| quote!(#context,));
    let passed = task.shape.parameters.iter().map(|parameter| {
        let (field, conditions) = (&parameter.name, &parameter.conditions);
        quote!(#(#conditions)* #arguments.#field)
    });
    quote!(#name(#context #(#passed),*))
}

/// What the call left behind, as text or as failure.
fn finish(task: &Task<'_>, locals: &Locals) -> TokenStream {
    let (name, private) = (task.name(), task.private());
    let (output, limit) = (&locals.output, &locals.limit);
    match &task.shape.output {
        Output::Unit | Output::Plain(_) => quote!(#private::encode_output::<#name>(&#output, #limit)),
        Output::Fallible { ty, error, .. } => {
            let result = into_result(task, ty);
            let failure = failure(task, *error, &locals.error);
            let error = &locals.error;
            quote! {
                match #result(#output) {
                    ::core::result::Result::Ok(value) => #private::encode_output::<#name>(&value, #limit),
                    ::core::result::Result::Err(#error) => #failure,
                }
            }
        }
    }
}

/// Nothing, for a `Result`; for any other type the error that it is none.
fn into_result(task: &Task<'_>, ty: &Type) -> TokenStream {
    let span = paths::span_of(ty);
    let private = task.private_at(span);
    quote_spanned!(span=> <#ty as #private::ResultType>::into_result)
}

/// The most telling of three traits that fits the error, found by the number of references.
fn failure(task: &Task<'_>, place: Span, error: &Ident) -> TokenStream {
    let (private, at_the_type) = (task.private(), task.private_at(place));
    let failure = quote_spanned!(place=> (&&&#at_the_type::Described(&#error)).task_failure());
    quote! {
        {
            use #private::{DescribeDeref as _, DescribeDisplay as _, DescribeError as _};
            ::core::result::Result::Err(#failure)
        }
    }
}
