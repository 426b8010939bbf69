//! The calls on the entry that say when a task enqueues itself, and of which calls one is kept.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::Task;
use crate::cron::Cron;
use crate::unique::{By, Until};

pub(super) fn schedule(task: &Task<'_>) -> Option<TokenStream> {
    let (krate, keys) = (task.krate(), &task.attributes.schedule);
    let made = if let Some((_, text, ms)) = &keys.every {
        let time = milliseconds(*ms);
        quote!(#krate::Schedule::every(#text, #time))
    } else {
        let (_, text, cron) = keys.cron.as_ref()?;
        let zone = keys
            .timezone
            .as_ref()
            .map_or_else(|| "UTC".to_owned(), syn::LitStr::value);
        let calendar = calendar(task, cron, &zone);
        quote!(#krate::Schedule::calendar(#text, #calendar))
    };
    let missed = keys.missed.as_ref().map(|word| {
        let variant = match word.value().as_str() {
            "skip" => quote!(Skip),
            "all" => quote!(All),
            _ => quote!(Once),
        };
        quote!(.missed(#krate::Missed::#variant))
    });
    Some(quote!(.scheduled(#made #missed)))
}

fn calendar(task: &Task<'_>, cron: &Cron, zone: &str) -> TokenStream {
    let private = task.private();
    let [minutes, hours, days, months, weekdays] =
        [cron.minutes, cron.hours, cron.days, cron.months, cron.weekdays].map(Literal::u64_unsuffixed);
    let either_day = cron.either_day;
    quote! {
        #private::Calendar {
            minutes: #minutes,
            hours: #hours,
            days: #days,
            months: #months,
            weekdays: #weekdays,
            either_day: #either_day,
            zone: #zone,
        }
    }
}

pub(super) fn unique(task: &Task<'_>) -> Option<TokenStream> {
    let (krate, keys) = (task.krate(), &task.attributes.unique);
    let by = match keys.by.as_ref()? {
        By::Task => quote!(Task),
        By::Arguments => quote!(Arguments),
        By::Fields(fields) => quote!(Fields(&[#(#fields),*])),
    };
    let until = match &keys.until {
        None | Some(Until::Ended) => quote!(Ended),
        Some(Until::Started) => quote!(Started),
        Some(Until::For(ms)) => {
            let time = milliseconds(*ms);
            quote!(For(#time))
        }
    };
    Some(quote! {
        .unique(#krate::UniqueRule { by: #krate::UniqueBy::#by, until: #krate::UniqueUntil::#until })
    })
}

fn milliseconds(milliseconds: u64) -> TokenStream {
    let milliseconds = Literal::u64_unsuffixed(milliseconds);
    quote!(::core::time::Duration::from_millis(#milliseconds))
}
