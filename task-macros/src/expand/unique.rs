//! Two tasks of one stored name in one crate are refused by the compiler.
//!
//! A macro sees one function and nothing of the others. What all modules of a crate share
//! is the place of its exported macros: one is defined for each name and alias, hidden and
//! empty, and the compiler refuses the second of two. Names of other crates are compared
//! when the registry is collected.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;
use syn::ext::IdentExt;

use super::Task;

/// What the compiler says is defined twice: with the name behind it, that is a sentence.
const PREFIX: &str = "stored_task_name";

/// A definition for each name the task answers to.
pub(super) fn names(task: &Task<'_>) -> TokenStream {
    let own_crate = std::env::var("CARGO_CRATE_NAME").unwrap_or_default();
    let mut taken = Vec::new();
    let mut definitions = TokenStream::new();
    for (name, span) in stored_names(task) {
        let text = identifier(&without_crate(&name, &own_crate));
        if taken.contains(&text) {
            continue;
        }
        let span = Span::call_site().located_at(span);
        let identifier = Ident::new(&text, span);
        definitions.extend(quote_spanned! {span=>
            #[doc(hidden)]
            #[allow(non_local_definitions)]
            #[macro_export]
            macro_rules! #identifier { () => {} }
        });
        taken.push(text);
    }
    definitions
}

/// Each name and where it was written.
fn stored_names(task: &Task<'_>) -> Vec<(String, Span)> {
    let function = task.name();
    let first = match &task.attributes.name {
        Some(name) => (name.value(), name.span()),
        None => (format!("crate::{}", function.unraw()), function.span()),
    };
    let aliases = task.attributes.aliases.iter();
    std::iter::once(first)
        .chain(aliases.map(|alias| (alias.value(), alias.span())))
        .collect()
}

/// `app::greet`, written out in the crate `app`, is the name that `greet` has there anyway.
fn without_crate(name: &str, own_crate: &str) -> String {
    match name.strip_prefix(own_crate) {
        Some(rest) if rest.starts_with("::") && !own_crate.is_empty() => format!("crate{rest}"),
        _ => name.to_owned(),
    }
}

/// `billing::charge` is `stored_task_name__billing__charge`. A name of other characters, or
/// one that would look like another, ends in a number of its own.
fn identifier(name: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let readable: String = name
        .replace("::", "__")
        .chars()
        .map(|letter| if is_plain(letter) { letter } else { '_' })
        .collect();
    if readable.replace("__", "::") == name {
        format!("{PREFIX}__{readable}")
    } else {
        format!("{PREFIX}__{readable}_{:016x}", fingerprint(name))
    }
}

/// FNV-1a: the same on every machine and with every compiler.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usual_name_can_be_read() {
        assert_eq!(
            identifier("billing::charge_all"),
            "stored_task_name__billing__charge_all"
        );
    }

    #[test]
    fn different_names_are_different_identifiers() {
        let names = [
            "a::b", "a__b", "a:b", "a.b", "a-b", "a_b", "größe", "groesse", "a::_b", "a_::b", "a:::b",
        ];
        let mut identifiers = names.map(identifier);
        identifiers.sort();
        assert!(
            identifiers.windows(2).all(|pair| pair[0] != pair[1]),
            "{identifiers:?}"
        );
        for identifier in identifiers {
            assert!(syn::parse_str::<Ident>(&identifier).is_ok(), "{identifier}");
        }
    }

    #[test]
    fn the_own_crate_is_called_crate() {
        assert_eq!(without_crate("app::greet", "app"), "crate::greet");
        assert_eq!(without_crate("apple::greet", "app"), "apple::greet");
        assert_eq!(without_crate("::greet", ""), "::greet");
    }
}
