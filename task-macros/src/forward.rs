//! Which attributes of the function also go on what is generated from it.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Attribute, Expr, ExprLit, Lit, Meta};

use crate::settings::split_at_commas;

/// Without these, generated items would stay behind when the function is left out.
const CONDITIONS: &[&str] = &["cfg"];

/// What is said about the function holds for the task as well. `warn` and `deny` stay
/// behind: they are about code that a person wrote.
const ON_THE_STRUCT: &[&str] = &["cfg", "doc", "deprecated", "allow", "expect"];

/// For every generated item.
pub(crate) fn conditions(attributes: &[Attribute]) -> TokenStream {
    forwarded(attributes, CONDITIONS)
}

/// For the struct of arguments.
pub(crate) fn on_the_struct(attributes: &[Attribute]) -> TokenStream {
    forwarded(attributes, ON_THE_STRUCT)
}

/// The first line of the documentation: what people see of a task.
pub(crate) fn description(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().filter_map(documentation).find_map(|text| {
        let lines = text
            .lines()
            .map(|line| line.trim().trim_start_matches("* ").trim());
        lines
            .filter(|line| !line.is_empty() && *line != "*")
            .map(str::to_owned)
            .next()
    })
}

fn documentation(attribute: &Attribute) -> Option<String> {
    match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit {
                lit: Lit::Str(text), ..
            }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

fn forwarded(attributes: &[Attribute], names: &[&str]) -> TokenStream {
    let kept = attributes
        .iter()
        .filter_map(|attribute| keep(attribute.meta.to_token_stream(), names));
    quote!(#(#[#kept])*)
}

/// The attribute, or the part of it that is called for.
fn keep(meta: TokenStream, names: &[&str]) -> Option<TokenStream> {
    let mut tokens = meta.clone().into_iter();
    let Some(TokenTree::Ident(name)) = tokens.next() else {
        return None;
    };
    if name == "cfg_attr" {
        return keep_conditional(&name, tokens.next()?, names);
    }
    if !names.iter().any(|wanted| name == wanted) {
        return None;
    }
    if name == "expect" {
        // What is expected of the function need not happen on the struct.
        let allow = Ident::new("allow", name.span());
        let lints: TokenStream = tokens.collect();
        return Some(quote!(#allow #lints));
    }
    Some(meta)
}

fn keep_conditional(name: &Ident, list: TokenTree, names: &[&str]) -> Option<TokenStream> {
    let TokenTree::Group(list) = list else { return None };
    let mut parts = split_at_commas(list.stream()).into_iter();
    let condition = parts.next()?;
    let kept: Vec<_> = parts.filter_map(|part| keep(part, names)).collect();
    (!kept.is_empty()).then(|| quote!(#name(#condition, #(#kept),*)))
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    fn attributes() -> Vec<Attribute> {
        parse_quote! {
            /// Says hello.
            ///
            /// More.
            #[cfg(unix)]
            #[cfg_attr(unix, cfg(feature = "x"), instrument, doc = "y")]
            #[cfg_attr(unix, instrument)]
            #[deprecated]
            #[expect(dead_code)]
            #[deny(missing_docs)]
            #[tracing::instrument]
        }
    }

    #[test]
    fn conditions_go_everywhere() {
        let expected = quote!(#[cfg(unix)] #[cfg_attr(unix, cfg(feature = "x"))]);
        assert_eq!(conditions(&attributes()).to_string(), expected.to_string());
    }

    #[test]
    fn words_about_the_task_go_on_the_struct_and_other_macros_do_not() {
        let text = on_the_struct(&attributes()).to_string();
        let expected = quote! {
            /// Says hello.
            ///
            /// More.
            #[cfg(unix)]
            #[cfg_attr(unix, cfg(feature = "x"), doc = "y")]
            #[deprecated]
            #[allow(dead_code)]
        };
        assert_eq!(text, expected.to_string());
    }

    #[test]
    fn the_description_is_the_first_line_that_says_something() {
        assert_eq!(description(&attributes()).as_deref(), Some("Says hello."));
        let block: Vec<Attribute> = parse_quote!(#[doc = "\n * Says hello.\n * More.\n "]);
        assert_eq!(description(&block).as_deref(), Some("Says hello."));
        assert_eq!(description(&[]), None);
    }
}
