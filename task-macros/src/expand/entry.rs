//! The constant that says everything about a task, and the check of its queue.

use proc_macro2::{Literal, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;

use super::{Task, rules};
use crate::attributes::Queue;
use crate::backoff::{Backoff, Growth};
use crate::forward;

pub(super) fn constant(task: &Task<'_>) -> TokenStream {
    let (krate, private, task_name) = (task.krate(), task.private(), task.name());
    let name = stored_name(task);
    let options = options(task);
    let place = task.name().span();
    // Spanned on the function: otherwise they would say where the attribute stands.
    let located = quote_spanned!(place=> ::core::module_path!(), ::core::file!(), ::core::line!());
    quote! {
        const __TASK_ENTRY: #krate::TaskEntry =
            #krate::TaskEntry::new(#name, __task_run)
                .located(#located)
                .generated(#private::check_arguments::<#task_name>)
                #options;
    }
}

fn stored_name(task: &Task<'_>) -> TokenStream {
    match &task.attributes.name {
        Some(name) => quote!(#name),
        None => {
            let (private, name) = (task.private(), task.name().unraw().to_string());
            let place = task.name().span();
            let stored_name = quote_spanned!(place=> #private::StoredName::of(::core::module_path!(), #name));
            quote!(const { &#stored_name }.text())
        }
    }
}

/// A call on the entry for everything that is not as usual.
fn options(task: &Task<'_>) -> TokenStream {
    let attributes = task.attributes;
    let description =
        forward::description(&task.function.attributes).map(|description| quote!(.described(#description)));
    let queue = attributes.queue.as_ref().map(|queue| match queue {
        Queue::Literal(name) => quote!(.queue(#name)),
        Queue::Constant(path) => {
            let krate = task.krate();
            quote!(.queue(#krate::Queue::name(#path)))
        }
    });
    let priority = attributes.priority.map(|priority| {
        let sign = (priority < 0).then(|| quote!(-));
        let digits = Literal::u64_unsuffixed(priority.unsigned_abs());
        quote!(.priority(#sign #digits))
    });
    let backend = attributes.backend.as_ref().map(|alias| quote!(.backend(#alias)));
    let with_context = task.shape.takes_context.then(|| quote!(.with_context()));
    let blocking = (!task.shape.is_async).then(|| quote!(.blocking()));
    let max_attempts = attributes.max_attempts.map(|attempts| {
        let attempts = Literal::i64_unsuffixed(attempts);
        quote!(.max_attempts(#attempts))
    });
    let max_lost = attributes.max_lost.map(|lost| {
        let lost = Literal::i64_unsuffixed(lost);
        quote!(.max_lost(#lost))
    });
    let backoff = attributes
        .backoff
        .as_ref()
        .map(|backoff| backoff_call(task, backoff));
    let timeout = attributes.timeout_ms.map(|timeout| {
        let timeout = Literal::u64_unsuffixed(timeout);
        quote!(.timeout_ms(#timeout))
    });
    let (schedule, unique) = (rules::schedule(task), rules::unique(task));
    let metadata = attributes
        .metadata
        .as_ref()
        .map(|object| quote!(.metadata(#object)));
    let aliases = &attributes.aliases;
    let aliased = (!aliases.is_empty()).then(|| quote!(.aliased(&[#(#aliases),*])));
    quote!(#description #queue #priority #backend #with_context #blocking #max_attempts #max_lost #backoff #timeout #schedule #unique #metadata #aliased)
}

fn backoff_call(task: &Task<'_>, backoff: &Backoff) -> TokenStream {
    let krate = task.krate();
    let duration = |milliseconds| {
        let milliseconds = Literal::u64_unsuffixed(milliseconds);
        quote!(::core::time::Duration::from_millis(#milliseconds))
    };
    let (first, limit) = (duration(backoff.first_ms), duration(backoff.limit_ms));
    let made = match backoff.growth {
        Growth::Fixed => quote!(#krate::Backoff::fixed(#first)),
        Growth::Linear => quote!(#krate::Backoff::linear(#first, #limit)),
        Growth::Exponential => quote!(#krate::Backoff::exponential(#first, #limit)),
    };
    let jitter = backoff.jitter.then(|| quote!(.jitter()));
    quote!(.backoff(#made #jitter))
}

/// Compares the name of the queue with those the crate declares, if it declares any.
///
/// `__TASK_QUEUES` is looked up from the inside out: the crate root has one where
/// `queues!` was used, else the outer import is found and nothing is compared.
pub(super) fn queue_check(task: &Task<'_>) -> Option<TokenStream> {
    let Some(Queue::Literal(name)) = &task.attributes.queue else {
        return None;
    };
    let private = task.private();
    let at_the_name = task.private_at(name.span());
    let check = quote_spanned!(name.span()=> #at_the_name::check_queue(__TASK_QUEUES, #name));
    Some(quote! {
        const _: () = {
            use #private::undeclared::*;
            const _: () = {
                use crate::*;
                #check
            };
        };
    })
}
