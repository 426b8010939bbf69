//! What is left of a task that cannot be expanded: the user's item, always, and enough
//! beside it that its callers see no mistakes of their own.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

use crate::expand::Task;
use crate::mistakes::Mistakes;

/// The item as it was, and the messages.
pub(crate) fn untouched(item: &impl ToTokens, mistakes: Mistakes) -> TokenStream {
    let mistakes = mistakes.into_tokens();
    quote!(#item #mistakes)
}

/// A task of the same name that can be written down everywhere and run nowhere.
pub(crate) fn stand_in(task: &Task<'_>) -> TokenStream {
    let (name, krate, output) = (task.name(), task.krate(), task.output_item());
    let text = name.to_string();
    task.around(&quote! {
        #[automatically_derived]
        impl #krate::Task for #name {
            #output
            const ENTRY: &'static #krate::TaskEntry =
                &#krate::TaskEntry::new(#text, |_, _| ::core::unreachable!("this task did not compile"));
        }
    })
}
