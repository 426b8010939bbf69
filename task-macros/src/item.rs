//! What `#[task]` was put on: a function, its body unread, or something else.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Signature, Visibility};

/// What other items begin with, and how to call them.
const OTHER_ITEMS: &[(&str, &str)] = &[
    ("struct", "a struct"),
    ("enum", "an enum"),
    ("union", "a union"),
    ("trait", "a trait"),
    ("impl", "an impl block"),
    ("mod", "a module"),
    ("static", "a static"),
    ("const", "a constant"),
    ("type", "a type alias"),
    ("use", "an import"),
    ("extern", "an extern item"),
    ("macro_rules", "a macro"),
    ("let", "a variable"),
];

/// A function as written. Its signature is understood; its body is carried along as
/// tokens, so that an editor still sees what the user is just typing.
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    body: TokenStream,
}

impl Function {
    /// Reads the item, or says why it is not a function.
    pub(crate) fn read(item: &TokenStream) -> syn::Result<Self> {
        let function = syn::parse2::<Self>(item.clone()).map_err(|error| describe(item, error))?;
        let has_body = matches!(
            function.body.clone().into_iter().next(),
            Some(TokenTree::Group(_))
        );
        if !has_body {
            let message = "a task needs a body: `#[task]` goes on a free function, not on a declaration";
            return Err(syn::Error::new_spanned(&function.signature.ident, message));
        }
        Ok(function)
    }
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        Ok(Self {
            attributes: input.call(Attribute::parse_outer)?,
            visibility: input.parse()?,
            signature: input.parse()?,
            body: input.parse()?,
        })
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self {
            attributes,
            visibility,
            signature,
            body,
        } = self;
        tokens.extend(quote!(#(#attributes)* #visibility #signature #body));
    }
}

/// The mistake of putting `#[task]` on this item; of a broken function, what is broken.
fn describe(item: &TokenStream, error: syn::Error) -> syn::Error {
    for token in item.clone() {
        let TokenTree::Ident(word) = &token else { continue };
        let text = word.to_string();
        if text == "fn" {
            return error;
        }
        if let Some((_, what)) = OTHER_ITEMS.iter().find(|(keyword, _)| *keyword == text) {
            let message = format!("`#[task]` goes on a function, and this is {what}");
            return syn::Error::new_spanned(token, message);
        }
    }
    syn::Error::new(error.span(), "`#[task]` goes on a function")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(item: &TokenStream) -> String {
        Function::read(item)
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    }

    #[test]
    fn a_function_is_given_back_as_it_was_written() {
        let item = quote! {
            /// Says hello.
            #[inline]
            pub(crate) async fn greet(mut name: String) -> String { this is not even Rust }
        };
        let function = Function::read(&item).expect("a function");
        assert_eq!(function.to_token_stream().to_string(), item.to_string());
    }

    #[test]
    fn other_items_are_called_by_their_name() {
        assert_eq!(
            refusal(&quote!(
                pub struct A;
            )),
            "`#[task]` goes on a function, and this is a struct"
        );
        assert_eq!(
            refusal(&quote!(#[x] unsafe impl A {})),
            "`#[task]` goes on a function, and this is an impl block"
        );
        assert_eq!(
            refusal(&quote!(
                const A: u8 = 1;
            )),
            "`#[task]` goes on a function, and this is a constant"
        );
    }

    #[test]
    fn what_has_no_keyword_is_no_function_either() {
        assert_eq!(
            refusal(&quote!(thread_local! { static A: u8 = 1; })),
            "`#[task]` goes on a function"
        );
        assert!(refusal(&quote!(fn 5() {})).starts_with("expected"));
    }

    #[test]
    fn a_declaration_has_no_body_to_run() {
        assert!(
            refusal(&quote!(
                fn greet(name: String);
            ))
            .starts_with("a task needs a body")
        );
    }
}
