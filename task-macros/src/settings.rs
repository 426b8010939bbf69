//! Lists of `key` and `key = value`, as all three macros take them.

use std::collections::BTreeSet;

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::Parse;
use syn::{LitInt, LitStr};

use crate::mistakes::Mistakes;
use crate::suggest;

/// The key that is written `key(..)`.
const LIST: &str = "metadata";

/// One `key`, `key = value` or `metadata(..)`.
pub(crate) struct Setting {
    pub(crate) key: Ident,
    /// What follows the `=`, or the brackets; `None` when there is neither.
    pub(crate) value: Option<TokenStream>,
}

/// Splits a list at its commas. What is not `key` or `key = value`, is unknown or comes
/// a second time is noted as a mistake and left out, so that the rest is still read.
pub(crate) fn read(list: TokenStream, known: &[&str], mistakes: &mut Mistakes) -> Vec<Setting> {
    let mut seen = BTreeSet::new();
    let mut settings = Vec::new();
    for part in split_at_commas(list) {
        let Some(setting) = mistakes.keep(Setting::from_tokens(part)) else {
            continue;
        };
        let name = setting.name();
        if !known.contains(&name.as_str()) {
            mistakes.at(&setting.key, unknown(&name, known));
        } else if !seen.insert(name.clone()) {
            mistakes.at(&setting.key, format!("`{name}` is given twice"));
        } else {
            settings.push(setting);
        }
    }
    settings
}

fn unknown(name: &str, known: &[&str]) -> String {
    if name == "run_after" {
        return "`run_after` belongs to a call, not to the task: `..::new(..).using(run_after(..))`"
            .to_owned();
    }
    format!("unknown attribute `{name}`{}", suggest::one_of(name, known))
}

/// The token trees between commas; empty parts are dropped, so a last comma is fine.
pub(crate) fn split_at_commas(list: TokenStream) -> Vec<TokenStream> {
    let mut parts = vec![TokenStream::new()];
    for token in list {
        match (&token, parts.last_mut()) {
            (TokenTree::Punct(punct), _) if punct.as_char() == ',' => parts.push(TokenStream::new()),
            (_, Some(part)) => part.extend([token]),
            (_, None) => {}
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// The key after a comma that was forgotten.
fn next_key(value: &TokenStream) -> Option<Ident> {
    let tokens: Vec<TokenTree> = value.clone().into_iter().collect();
    tokens.windows(3).find_map(|three| match three {
        [before, TokenTree::Ident(key), TokenTree::Punct(equals)]
            if equals.as_char() == '=' && !matches!(before, TokenTree::Punct(_)) =>
        {
            Some(key.clone())
        }
        _ => None,
    })
}

impl Setting {
    fn from_tokens(part: TokenStream) -> syn::Result<Self> {
        let mut tokens = part.clone().into_iter();
        let Some(TokenTree::Ident(key)) = tokens.next() else {
            return Err(syn::Error::new_spanned(part, "expected `key` or `key = value`"));
        };
        match tokens.next() {
            None => Ok(Self { key, value: None }),
            Some(TokenTree::Punct(equals)) if equals.as_char() == '=' => {
                let value: TokenStream = tokens.collect();
                match next_key(&value) {
                    Some(next) => {
                        let message = format!("expected `,` before `{next}`");
                        Err(syn::Error::new_spanned(next, message))
                    }
                    None => Ok(Self {
                        key,
                        value: Some(value),
                    }),
                }
            }
            // The one key whose value is a list of its own, written as attributes write such lists.
            Some(list @ TokenTree::Group(_)) if key == LIST => Ok(Self {
                key,
                value: Some([list].into_iter().chain(tokens).collect()),
            }),
            Some(other) => Err(syn::Error::new_spanned(
                other,
                format!("expected `=` or `,` after `{key}`"),
            )),
        }
    }

    pub(crate) fn name(&self) -> String {
        self.key.unraw().to_string()
    }

    /// The value as a `T`; where it is anything else, `expected` says what belongs there.
    pub(crate) fn parse<T: Parse>(&self, expected: &str) -> syn::Result<T> {
        let message = || format!("`{}` takes {expected}", self.key);
        match &self.value {
            Some(value) if !value.is_empty() => {
                syn::parse2(value.clone()).map_err(|_| syn::Error::new_spanned(value, message()))
            }
            _ => Err(syn::Error::new_spanned(&self.key, message())),
        }
    }

    /// The value as a string literal.
    pub(crate) fn text(&self, expected: &str) -> syn::Result<LitStr> {
        self.parse(expected)
    }

    /// The value as an integer literal inside the range.
    pub(crate) fn integer(&self, least: i64, most: i64, example: i64) -> syn::Result<i64> {
        let key = &self.key;
        let literal: Integer = self.parse(&format!("an integer literal, such as `{key} = {example}`"))?;
        match literal.value() {
            Some(value) if (least..=most).contains(&value) => Ok(value),
            _ => Err(syn::Error::new_spanned(
                &literal,
                format!("`{key}` must be from {least} to {most}, this is {literal}"),
            )),
        }
    }

    /// Makes sure that nothing follows a key that stands alone.
    pub(crate) fn flag(&self) -> syn::Result<()> {
        match &self.value {
            None => Ok(()),
            Some(_) => Err(syn::Error::new_spanned(
                &self.key,
                format!("`{}` takes no value: it is there or it is not", self.key),
            )),
        }
    }
}

/// An integer literal and the minus before it.
struct Integer {
    minus: Option<syn::Token![-]>,
    digits: LitInt,
}

impl Integer {
    /// `None` when it does not fit; it is then out of every range as well.
    fn value(&self) -> Option<i64> {
        let value: i64 = self.digits.base10_parse().ok()?;
        Some(if self.minus.is_some() { -value } else { value })
    }
}

impl Parse for Integer {
    fn parse(input: syn::parse::ParseStream<'_>) -> syn::Result<Self> {
        Ok(Self {
            minus: input.parse()?,
            digits: input.parse()?,
        })
    }
}

impl ToTokens for Integer {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.minus.to_tokens(tokens);
        self.digits.to_tokens(tokens);
    }
}

impl std::fmt::Display for Integer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let minus = if self.minus.is_some() { "-" } else { "" };
        write!(f, "{minus}{}", self.digits)
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    fn mistakes_of(list: TokenStream) -> Vec<String> {
        let mut mistakes = Mistakes::default();
        read(list, &["queue", "priority"], &mut mistakes);
        mistakes.messages()
    }

    #[test]
    fn a_list_is_read_key_by_key() {
        let mut mistakes = Mistakes::default();
        let settings = read(
            quote!(queue = a::B, priority,),
            &["queue", "priority"],
            &mut mistakes,
        );
        let names: Vec<_> = settings
            .iter()
            .map(|setting| (setting.name(), setting.value.is_some()))
            .collect();
        assert_eq!(
            names,
            [("queue".to_owned(), true), ("priority".to_owned(), false)]
        );
        assert!(mistakes.messages().is_empty());
    }

    #[test]
    fn every_bad_part_is_told_and_the_good_ones_are_kept() {
        let mut mistakes = Mistakes::default();
        let settings = read(
            quote!("x", quee = 1, queue = 2, queue = 3, priority 5, queue = a::B priority = 5),
            &["queue"],
            &mut mistakes,
        );
        assert_eq!(settings.len(), 1);
        assert_eq!(
            mistakes.messages(),
            [
                "expected `key` or `key = value`",
                "unknown attribute `quee`, did you mean `queue`? Known: `queue`",
                "`queue` is given twice",
                "expected `=` or `,` after `priority`",
                "expected `,` before `priority`",
            ]
        );
    }

    #[test]
    fn run_after_is_sent_to_the_call() {
        assert!(mistakes_of(quote!(run_after = "1h"))[0].contains(".using(run_after(..))"));
    }

    #[test]
    fn integers_must_be_literals_in_range() {
        let setting = |value| Setting {
            key: Ident::new("priority", proc_macro2::Span::call_site()),
            value,
        };
        assert_eq!(setting(Some(quote!(-5))).integer(-100, 100, 10).ok(), Some(-5));
        for (value, reason) in [
            (quote!(101), "`priority` must be from -100 to 100, this is 101"),
            (quote!(-101), "`priority` must be from -100 to 100, this is -101"),
            (
                quote!(99999999999999999999),
                "`priority` must be from -100 to 100, this is 99999999999999999999",
            ),
            (
                quote!(HIGH),
                "`priority` takes an integer literal, such as `priority = 10`",
            ),
            (
                quote!("10"),
                "`priority` takes an integer literal, such as `priority = 10`",
            ),
            (
                quote!(1 + 1),
                "`priority` takes an integer literal, such as `priority = 10`",
            ),
            (
                quote!(),
                "`priority` takes an integer literal, such as `priority = 10`",
            ),
        ] {
            let error = setting(Some(value)).integer(-100, 100, 10).expect_err("refused");
            assert_eq!(error.to_string(), reason);
        }
    }
}
