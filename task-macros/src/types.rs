//! Questions about types that can be answered from their tokens alone.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{PathSegment, Type};

/// Types that `Into` is worth having for: there is a shorter way to write their values.
/// Numbers are not among them, since a literal could then not tell its type.
const MADE_WITH_INTO: &[&str] = &[
    "String", "PathBuf", "OsString", "Vec", "Box", "Arc", "Cow", "Bytes", "Option",
];

/// The type without the invisible groups that come from `macro_rules!`, and without parentheses.
pub(crate) fn peeled(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => peeled(&group.elem),
        Type::Paren(paren) => peeled(&paren.elem),
        other => other,
    }
}

/// `Result<A, B>` of `std::result::Result<A, B>`.
pub(crate) fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match peeled(ty) {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    }
}

/// Whether the type is called this, wherever it comes from.
pub(crate) fn is_called(ty: &Type, name: &str) -> bool {
    last_segment(ty).is_some_and(|segment| segment.ident == name)
}

/// Whether callers may pass anything that turns into this type.
pub(crate) fn is_made_with_into(ty: &Type) -> bool {
    MADE_WITH_INTO.iter().any(|name| is_called(ty, name))
}

/// What to store instead of a reference to this.
pub(crate) fn owned(element: &Type) -> String {
    let element = peeled(element);
    match element {
        Type::Slice(slice) => format!("Vec<{}>", written(&slice.elem)),
        _ if is_called(element, "str") => "String".to_owned(),
        _ if is_called(element, "Path") => "PathBuf".to_owned(),
        _ if is_called(element, "OsStr") => "OsString".to_owned(),
        _ => written(element),
    }
}

/// What to store instead of a type without a size, if it is seen to be one.
pub(crate) fn owned_of_unsized(ty: &Type) -> Option<String> {
    let ty = peeled(ty);
    match ty {
        Type::Slice(_) => Some(owned(ty)),
        Type::TraitObject(_) => Some("an enum, or a type of your own".to_owned()),
        Type::Path(path) if path.path.is_ident("str") => Some(owned(ty)),
        _ => None,
    }
}

/// What to call a type whose values nobody else can be given, if it is seen to be one.
pub(crate) fn bound_to_one_process(ty: &Type) -> Option<&'static str> {
    match peeled(ty) {
        Type::Ptr(_) => Some("a pointer"),
        Type::FnPtr(_) => Some("a function pointer"),
        // Others may have a type of their own that is called so.
        Type::Path(path) => {
            let last = path.path.segments.last()?;
            let is_generic = !last.arguments.is_none();
            (is_generic && last.ident == "Rc").then_some("an `Rc`")
        }
        _ => None,
    }
}

/// The type about as a person would write it.
fn written(ty: &Type) -> String {
    let text = ty.to_token_stream().to_string();
    text.replace(" :: ", "::")
        .replace(" < ", "<")
        .replace(" >", ">")
        .replace(" ,", ",")
}

/// Whether a reference or a lifetime other than `'static` is somewhere in it.
pub(crate) fn borrows(ty: &Type) -> bool {
    let leaves = leaves(ty.to_token_stream());
    let is_punct =
        |token: &TokenTree, sign| matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign);
    let borrowed_lifetime = leaves.windows(2).any(|pair| {
        is_punct(&pair[0], '\'') && !matches!(&pair[1], TokenTree::Ident(name) if name == "static")
    });
    borrowed_lifetime || leaves.iter().any(|token| is_punct(token, '&'))
}

/// Whether a type is left open with `_` somewhere in it; the lifetime `'_` is something else.
pub(crate) fn is_open(ty: &Type) -> bool {
    let leaves = leaves(ty.to_token_stream());
    let is_quote = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == '\'');
    leaves.iter().enumerate().any(|(index, token)| {
        matches!(token, TokenTree::Ident(name) if name == "_")
            && (index == 0 || !is_quote(&leaves[index - 1]))
    })
}

/// Whether one of these words is somewhere in it, such as `impl` or a type parameter.
pub(crate) fn mentions(ty: &Type, words: &[String]) -> bool {
    leaves(ty.to_token_stream())
        .iter()
        .any(|token| matches!(token, TokenTree::Ident(ident) if words.iter().any(|word| ident == word)))
}

/// All tokens, without the brackets around them.
fn leaves(tokens: TokenStream) -> Vec<TokenTree> {
    let mut all = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) => all.extend(leaves(group.stream())),
            leaf => all.push(leaf),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    #[test]
    fn a_type_is_known_by_its_last_word() {
        assert!(is_made_with_into(&parse_quote!(std::path::PathBuf)));
        assert!(is_made_with_into(&parse_quote!((Option<u8>))));
        assert!(!is_made_with_into(&parse_quote!(u64)));
        assert!(!is_made_with_into(&parse_quote!([String; 2])));
    }

    #[test]
    fn borrowing_is_found_however_deep() {
        assert!(borrows(&parse_quote!(Vec<(&str, u8)>)));
        assert!(borrows(&parse_quote!(Cow<'_, str>)));
        assert!(borrows(&parse_quote!(&'static str)));
        assert!(!borrows(&parse_quote!(Cow<'static, str>)));
        assert!(!borrows(&parse_quote!([u8; 4])));
    }

    #[test]
    fn a_reference_has_an_owned_counterpart() {
        for (reference, expected) in [
            (parse_quote!(&str), "String"),
            (parse_quote!(&mut [u8]), "Vec<u8>"),
            (parse_quote!(&std::path::Path), "PathBuf"),
            (parse_quote!(&'a app::Map<u8, String>), "app::Map<u8, String>"),
        ] {
            let Type::Reference(reference) = reference else {
                panic!("a reference");
            };
            assert_eq!(owned(&reference.elem), expected);
        }
    }

    #[test]
    fn types_without_a_size_or_for_one_process_are_seen() {
        assert_eq!(owned_of_unsized(&parse_quote!(str)).as_deref(), Some("String"));
        assert_eq!(owned_of_unsized(&parse_quote!([u8])).as_deref(), Some("Vec<u8>"));
        assert!(owned_of_unsized(&parse_quote!(dyn Fn())).is_some());
        assert_eq!(owned_of_unsized(&parse_quote!(Box<str>)), None);
        assert!(bound_to_one_process(&parse_quote!(*const u8)).is_some());
        assert!(bound_to_one_process(&parse_quote!(fn(u8))).is_some());
        assert!(bound_to_one_process(&parse_quote!(std::rc::Rc<u8>)).is_some());
        assert!(bound_to_one_process(&parse_quote!(Rc)).is_none());
    }

    #[test]
    fn an_open_type_is_no_open_lifetime() {
        assert!(is_open(&parse_quote!(_)));
        assert!(is_open(&parse_quote!(Vec<(u8, _)>)));
        assert!(!is_open(&parse_quote!(Cow<'_, str>)));
        assert!(!is_open(&parse_quote!(Vec<_name>)));
    }

    #[test]
    fn words_are_found_inside_brackets() {
        assert!(mentions(&parse_quote!(Vec<[T; 2]>), &["T".to_owned()]));
        assert!(!mentions(&parse_quote!(Vec<Tea>), &["T".to_owned()]));
    }
}
