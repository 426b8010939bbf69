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
            output: local("output"),
            error: local("error"),
            limit: local("limit"),
        }
    }
}

/// What differs between tasks is the call, and what is made of its outcome. Everything else is
/// done by one function of core for all of them: the compiler then reads it once.
pub(super) fn function(task: &Task<'_>) -> TokenStream {
    let locals = Locals::new();
    let (arguments, context) = (&locals.arguments, &locals.context);
    let (krate, private) = (task.krate(), task.private());
    let (call, finish) = (call(task, &locals), finish(task, &locals));
    // At the function's name: a future that is not `Send` is reported here.
    let there = task.private_at(task.name().span());
    let run = Ident::new(
        if task.shape.is_async {
            "run_async"
        } else {
            "run_on_the_pool"
        },
        task.name().span(),
    );
    let run = quote_spanned!(task.name().span()=> #there::#run(#arguments, #context, #call, #finish));
    quote! {
        fn __task_run(#arguments: &::core::primitive::str, #context: #krate::TaskContext) -> #private::RunFuture {
            #run
        }
    }
}

/// The call as a closure of arguments and context.
fn call(task: &Task<'_>, locals: &Locals) -> TokenStream {
    let (name, context, arguments) = (task.name(), &locals.context, &locals.arguments);
    let (with_context, passed_context) = if task.shape.takes_context {
        (quote!(#context), Some(quote!(#context,)))
    } else {
        // A task that does not take the context ends its life here.
        (quote!(_), None)
    };
    let with_arguments = if task.shape.parameters.is_empty() {
        quote!(_)
    } else {
        quote!(#arguments)
    };
    let passed = task.shape.parameters.iter().map(|parameter| {
        let (field, conditions) = (&parameter.name, &parameter.conditions);
        quote!(#conditions #arguments.#field)
    });
    quote_spanned!(name.span()=> |#with_arguments: #name, #with_context| #name(#passed_context #(#passed),*))
}

/// What makes text or a failure of what the call left behind.
fn finish(task: &Task<'_>, locals: &Locals) -> TokenStream {
    let (name, private) = (task.name(), task.private());
    let (output, limit) = (&locals.output, &locals.limit);
    match &task.shape.output {
        Output::Unit | Output::Plain(_) => quote!(#private::finish::<#name>),
        Output::Fallible { ty, error, .. } => {
            let result = into_result(task, ty);
            let failure = failure(task, *error, &locals.error);
            let error = &locals.error;
            // At the type: when it is no `Result`, that is told there once.
            let private = task.private_at(paths::span_of(ty));
            quote_spanned! {paths::span_of(ty)=>
                |#output: #ty, #limit| match #result(#output) {
                    ::core::result::Result::Ok(value) => #private::finish::<#name>(value, #limit),
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

/// The most telling of four traits that fits the error, found by the number of references.
fn failure(task: &Task<'_>, place: Span, error: &Ident) -> TokenStream {
    let (private, at_the_type) = (task.private(), task.private_at(place));
    let failure = quote_spanned!(place=> (&&&&#at_the_type::Described(&#error)).task_failure());
    quote! {
        {
            use #private::{DescribeDeref as _, DescribeDisplay as _, DescribeError as _, DescribeVerdict as _};
            ::core::result::Result::Err(#failure)
        }
    }
}
