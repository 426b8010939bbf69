//! Paths and places: where generated code looks up names, and where its errors are shown.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::Path;

/// The path the user gave, with errors shown where it stands, or the usual one.
pub(crate) fn given_or(given: Option<&Path>, usual: &TokenStream) -> TokenStream {
    given.map_or_else(|| usual.clone(), ToTokens::to_token_stream)
}

/// The path the user gave or the usual one, such that an error in an expression that
/// begins with it is shown at `span`.
pub(crate) fn at(given: Option<&Path>, usual: &TokenStream, span: Span) -> TokenStream {
    match given {
        // The user's tokens keep their own scope: `$crate` means something only there.
        Some(path) => moved(path.to_token_stream(), |before| before.located_at(span)),
        None => moved(usual.clone(), |_| span),
    }
}

/// The place of a type, without a group that `macro_rules!` put around it.
pub(crate) fn span_of(tokens: impl ToTokens) -> Span {
    tokens
        .to_token_stream()
        .into_iter()
        .next()
        .map_or_else(Span::call_site, |token| token.span())
}

fn moved(tokens: TokenStream, to: impl Fn(Span) -> Span + Copy) -> TokenStream {
    tokens
        .into_iter()
        .map(|token| match token {
            TokenTree::Group(group) => {
                let mut inside = Group::new(group.delimiter(), moved(group.stream(), to));
                inside.set_span(to(group.span()));
                TokenTree::Group(inside)
            }
            mut leaf => {
                leaf.set_span(to(leaf.span()));
                leaf
            }
        })
        .collect()
}
