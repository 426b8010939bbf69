//! `queues!`: the queues of a crate, so that the compiler knows them.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::quote;
use syn::ext::IdentExt;
use syn::{LitStr, Path, Token};

use crate::mistakes::Mistakes;
use crate::settings::split_at_commas;
use crate::{names, paths};

/// One declared queue.
struct Declared {
    /// As the user wrote it, for messages.
    written: TokenTree,
    name: String,
    constant: String,
}

/// What `queues! { list }` becomes.
pub(crate) fn expand(list: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let (krate, list) = take_crate(list, &mut mistakes);
    let declared = read(list, &mut mistakes);
    let names = declared.iter().map(|queue| &queue.name);
    let constants = declared.iter().map(|queue| constant(queue, krate.as_ref()));
    let imports = krate.as_ref().filter(|path| is_relative(path)).map(|_| {
        quote! {
            #[allow(unused_imports)]
            use super::*;
        }
    });
    let mistakes = mistakes.into_tokens();
    quote! {
        #[doc(hidden)]
        pub const __TASK_QUEUES: ::core::option::Option<&'static [&'static ::core::primitive::str]> =
            ::core::option::Option::Some(&[#(#names),*]);

        /// The queues of this crate.
        pub mod queues {
            #imports
            #(#constants)*
        }
        #mistakes
    }
}

fn constant(queue: &Declared, krate: Option<&Path>) -> TokenStream {
    let span = queue.written.span();
    let krate = paths::at(krate, &quote!(::task_core), proc_macro2::Span::call_site());
    let (name, constant) = (&queue.name, Ident::new(&queue.constant, span));
    let doc = format!("The queue `{name}`.");
    quote! {
        #[doc = #doc]
        pub const #constant: #krate::Queue = #krate::Queue::declared(#name);
    }
}

/// Inside the module, such a path means something else than where the user wrote it.
fn is_relative(path: &Path) -> bool {
    path.leading_colon.is_none() && path.segments.first().is_some_and(|first| first.ident != "crate")
}

/// Takes `crate = path;` from the beginning, if it is there.
fn take_crate(list: TokenStream, mistakes: &mut Mistakes) -> (Option<Path>, TokenStream) {
    let begins = |token: &TokenTree| matches!(token, TokenTree::Ident(word) if word == "crate");
    let is_end = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ';');
    if !list
        .clone()
        .into_iter()
        .next()
        .is_some_and(|first| begins(&first))
    {
        return (None, list);
    }
    let mut rest = list.into_iter();
    let setting: TokenStream = rest.by_ref().take_while(|token| !is_end(token)).collect();
    let parser = |input: syn::parse::ParseStream<'_>| -> syn::Result<Path> {
        input.parse::<Token![crate]>()?;
        input.parse::<Token![=]>()?;
        input.parse()
    };
    let path = syn::parse::Parser::parse2(parser, setting.clone()).map_err(|_| {
        syn::Error::new_spanned(
            setting,
            "expected the path of the task crate: `crate = my_task_core;`",
        )
    });
    (mistakes.keep(path), rest.collect())
}

/// Reads the names. What cannot be a queue or is there already is noted and left out.
fn read(list: TokenStream, mistakes: &mut Mistakes) -> Vec<Declared> {
    let mut declared: Vec<Declared> = Vec::new();
    for part in split_at_commas(list) {
        let Some(queue) = mistakes.keep(Declared::read(part)) else {
            continue;
        };
        if declared.iter().any(|other| other.name == queue.name) {
            mistakes.at(
                &queue.written,
                format!("queue `{}` is declared twice", queue.name),
            );
        } else if let Some(other) = declared.iter().find(|other| other.constant == queue.constant) {
            let message = format!(
                "queues `{}` and `{}` would both be the constant `{}`",
                other.name, queue.name, queue.constant
            );
            mistakes.at(&queue.written, message);
        } else {
            declared.push(queue);
        }
    }
    declared
}

impl Declared {
    fn read(part: TokenStream) -> syn::Result<Self> {
        let mut tokens = part.clone().into_iter();
        let (Some(written), None) = (tokens.next(), tokens.next()) else {
            return Err(syn::Error::new_spanned(
                part,
                "expected a queue name: an identifier or a string literal",
            ));
        };
        let name = match &written {
            TokenTree::Ident(ident) => ident.unraw().to_string(),
            other => syn::parse2::<LitStr>(other.clone().into())
                .map_err(|_| {
                    syn::Error::new_spanned(other, "expected a queue name: an identifier or a string literal")
                })?
                .value(),
        };
        if let Some(reason) = names::refuse_queue(&name) {
            return Err(syn::Error::new_spanned(written, reason));
        }
        Ok(Self {
            written,
            constant: constant_name(&name),
            name,
        })
    }
}

/// `high-priority` is `HIGH_PRIORITY`.
fn constant_name(name: &str) -> String {
    let mut constant: String = name
        .to_uppercase()
        .chars()
        .map(|letter| if letter.is_alphanumeric() { letter } else { '_' })
        .collect();
    if constant.starts_with(|first: char| first.is_numeric()) || constant == "_" {
        constant.insert(0, '_');
    }
    constant
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(list: TokenStream) -> (Vec<(String, String)>, Vec<String>) {
        let mut mistakes = Mistakes::default();
        let declared = read(list, &mut mistakes);
        (
            declared
                .into_iter()
                .map(|queue| (queue.name, queue.constant))
                .collect(),
            mistakes.messages(),
        )
    }

    #[test]
    fn names_may_be_words_or_text() {
        let (declared, mistakes) = read_all(quote!(default, r#type, "high-priority", "2nd", "größe",));
        assert!(mistakes.is_empty());
        let expected = [
            ("default", "DEFAULT"),
            ("type", "TYPE"),
            ("high-priority", "HIGH_PRIORITY"),
            ("2nd", "_2ND"),
            ("größe", "GRÖSSE"),
        ];
        assert!(
            declared
                .iter()
                .map(|(name, constant)| (name.as_str(), constant.as_str()))
                .eq(expected)
        );
    }

    #[test]
    fn every_bad_name_is_told_and_the_good_ones_stay() {
        let (declared, mistakes) = read_all(quote!(a, a, "", " b", 5, c d, "a-b", "a_b"));
        assert_eq!(declared.len(), 2);
        assert_eq!(
            mistakes,
            [
                "queue `a` is declared twice",
                "a queue name cannot be empty",
                "queue name ` b` begins or ends with a blank",
                "expected a queue name: an identifier or a string literal",
                "expected a queue name: an identifier or a string literal",
                "queues `a-b` and `a_b` would both be the constant `A_B`",
            ]
        );
    }

    #[test]
    fn the_crate_may_be_renamed() {
        let mut mistakes = Mistakes::default();
        let (krate, rest) = take_crate(quote!(crate = my::core; default), &mut mistakes);
        assert!(krate.is_some_and(|path| is_relative(&path)));
        assert_eq!(rest.to_string(), "default");
        let (krate, _) = take_crate(quote!(crate 5; default), &mut mistakes);
        assert!(krate.is_none());
        assert_eq!(
            mistakes.messages(),
            ["expected the path of the task crate: `crate = my_task_core;`"]
        );
    }

    #[test]
    fn the_list_and_a_constant_for_each_are_written() {
        let text = expand(quote!(default, "high-priority")).to_string();
        for expected in [
            quote!(
                pub const __TASK_QUEUES: ::core::option::Option<&'static [&'static ::core::primitive::str]> =
                    ::core::option::Option::Some(&["default", "high-priority"]);
            ),
            quote!(
                pub const HIGH_PRIORITY: ::task_core::Queue = ::task_core::Queue::declared("high-priority");
            ),
        ] {
            assert!(text.contains(&expected.to_string()), "{text}");
        }
    }
}
