//! `metadata(team = "billing", cost = 3)`: what an application says about a task, written
//! as a JSON object while the program compiles.

use std::fmt::Write as _;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::{Lit, LitStr, Token};

use crate::mistakes::Mistakes;
use crate::settings::{Setting, split_at_commas};

/// The most metadata of one task, in bytes of JSON; the same limit as for a call.
const MOST_BYTES: usize = 16 * 1024;

/// What names of the framework's own begin with.
const RESERVED_PREFIX: &str = "task.";

const EXPECTED: &str = "names and literals in brackets, such as `metadata(team = \"billing\", cost = 3)`";

/// The text of the object; `None` when there is nothing in it. Every mistake is noted, and what
/// is wrong left out.
pub(crate) fn object(setting: &Setting, mistakes: &mut Mistakes) -> syn::Result<Option<String>> {
    let list = brackets(setting)?;
    let mut names: Vec<String> = Vec::new();
    let mut text = String::new();
    for part in split_at_commas(list.stream()) {
        let Some(pair) = mistakes.keep(Pair::read(part)) else {
            continue;
        };
        if names.contains(&pair.name) {
            mistakes.at(&pair.written, format!("`{}` is given twice", pair.name));
            continue;
        }
        text.push(if names.is_empty() { '{' } else { ',' });
        push_text(&mut text, &pair.name);
        text.push(':');
        text.push_str(&pair.value);
        names.push(pair.name);
    }
    if names.is_empty() {
        return Ok(None);
    }
    text.push('}');
    if text.len() > MOST_BYTES {
        let message = format!(
            "this metadata is {} bytes of JSON, the limit is {MOST_BYTES}",
            text.len()
        );
        return Err(syn::Error::new_spanned(&setting.key, message));
    }
    Ok(Some(text))
}

fn brackets(setting: &Setting) -> syn::Result<Group> {
    let mut tokens = setting.value.clone().unwrap_or_default().into_iter();
    match (tokens.next(), tokens.next()) {
        (Some(TokenTree::Group(list)), None) if list.delimiter() == Delimiter::Parenthesis => Ok(list),
        _ => Err(syn::Error::new_spanned(
            &setting.key,
            format!("`metadata` takes {EXPECTED}"),
        )),
    }
}

/// `name = value`
struct Pair {
    written: TokenTree,
    name: String,
    /// As JSON.
    value: String,
}

impl Pair {
    fn read(part: TokenStream) -> syn::Result<Self> {
        let mut tokens = part.into_iter();
        let Some(written) = tokens.next() else {
            return Err(syn::Error::new(proc_macro2::Span::call_site(), EXPECTED));
        };
        let name = name(&written)?;
        match tokens.next() {
            Some(TokenTree::Punct(equals)) if equals.as_char() == '=' => {}
            Some(TokenTree::Group(group)) => {
                let message = format!(
                    "metadata is flat: instead of brackets in brackets, write `\"{name}.key\" = value`"
                );
                return Err(syn::Error::new_spanned(group, message));
            }
            _ => {
                let message = format!("expected `{name} = value`, with a literal as value");
                return Err(syn::Error::new_spanned(written, message));
            }
        }
        let value: TokenStream = tokens.collect();
        if value.is_empty() {
            let message = format!("expected `{name} = value`, with a literal as value");
            return Err(syn::Error::new_spanned(written, message));
        }
        Ok(Self {
            value: literal(&name, &value)?,
            written,
            name,
        })
    }
}

fn name(written: &TokenTree) -> syn::Result<String> {
    let refused = |message: String| Err(syn::Error::new_spanned(written, message));
    let name = match written {
        TokenTree::Ident(ident) => ident.unraw().to_string(),
        other => match syn::parse2::<LitStr>(other.clone().into()) {
            Ok(text) => text.value(),
            Err(_) => return refused("the name of metadata is an identifier or a string literal".to_owned()),
        },
    };
    if name.is_empty() {
        return refused("a name of metadata cannot be empty".to_owned());
    }
    if name.starts_with(RESERVED_PREFIX) {
        return refused(format!(
            "names that begin with `{RESERVED_PREFIX}` belong to the framework"
        ));
    }
    refuse_nul(written, &name)?;
    Ok(name)
}

/// The literal as JSON.
fn literal(name: &str, tokens: &TokenStream) -> syn::Result<String> {
    let parser = |input: syn::parse::ParseStream<'_>| -> syn::Result<(bool, Lit)> {
        let minus: Option<Token![-]> = input.parse()?;
        Ok((minus.is_some(), input.parse()?))
    };
    let parsed = syn::parse::Parser::parse2(parser, tokens.clone());
    let refused = |message: String| Err(syn::Error::new_spanned(tokens, message));
    let mut json = String::new();
    match parsed {
        Ok((false, Lit::Str(text))) => {
            refuse_nul(&text, &text.value())?;
            push_text(&mut json, &text.value());
        }
        Ok((false, Lit::Bool(truth))) => json = truth.value.to_string(),
        Ok((negative, Lit::Int(digits))) => match integer(negative, digits.base10_digits()) {
            Some(number) => json = number.to_string(),
            None => return refused(format!("`{name}` must be from {} to {}", i64::MIN, u64::MAX)),
        },
        Ok((negative, Lit::Float(digits))) => match digits.base10_parse::<f64>() {
            Ok(number) if number.is_finite() => {
                json = format!("{:?}", if negative { -number } else { number });
            }
            _ => return refused(format!("`{name}` is too large for a number of 64 bits")),
        },
        _ => {
            return refused(format!(
                "`{name}` takes a literal: a text, a number, `true` or `false`"
            ));
        }
    }
    Ok(json)
}

/// What a JSON number is read back as everywhere.
fn integer(negative: bool, digits: &str) -> Option<i128> {
    let number: i128 = digits.parse().ok()?;
    let number = if negative { -number } else { number };
    (i128::from(i64::MIN)..=i128::from(u64::MAX))
        .contains(&number)
        .then_some(number)
}

fn refuse_nul(written: impl quote::ToTokens, text: &str) -> syn::Result<()> {
    if text.contains('\0') {
        let message = "metadata cannot contain the character U+0000, which not every store can keep";
        return Err(syn::Error::new_spanned(written, message));
    }
    Ok(())
}

/// Adds a text in quotes, escaped as JSON asks for.
fn push_text(json: &mut String, text: &str) {
    json.push('"');
    for letter in text.chars() {
        match letter {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            control if control < ' ' => {
                // Writing into a text does not fail.
                let _ = write!(json, "\\u{:04x}", u32::from(control));
            }
            other => json.push(other),
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;
    use crate::settings;

    fn read(list: TokenStream) -> (Option<String>, Vec<String>) {
        let mut mistakes = Mistakes::default();
        let settings = settings::read(list, &["metadata"], &mut mistakes);
        let text = settings.iter().find_map(|setting| {
            let object = object(setting, &mut mistakes);
            mistakes.keep(object).flatten()
        });
        (text, mistakes.messages())
    }

    #[test]
    fn literals_become_json_in_their_order() {
        let (text, mistakes) = read(quote!(metadata(
            team = "a \"b\"\n",
            cost = 3u8,
            less = -0x10,
            ratio = -0.5,
            large = 1e300,
            urgent = true,
            "a-b" = "",
            r#type = 1
        )));
        assert_eq!(mistakes, [""; 0]);
        let expected = r#"{"team":"a \"b\"\n","cost":3,"less":-16,"ratio":-0.5,"large":1e300,"urgent":true,"a-b":"","type":1}"#;
        assert_eq!(text.as_deref(), Some(expected));
    }

    #[test]
    fn nothing_is_no_object() {
        assert_eq!(read(quote!(metadata())), (None, Vec::new()));
    }

    #[test]
    fn every_mistake_is_told_and_the_rest_stays() {
        let (text, mistakes) = read(quote!(metadata(
            a = 1,
            a = 2,
            b(c = 1),
            d = E,
            "task.f" = 1,
            "" = 1,
            g = "\0",
            h = 99999999999999999999,
            i = 1e999,
            j,
            5 = 1,
            k = 'l',
            m = -"n",
            o = -true,
            p = -9223372036854775809
        )));
        assert_eq!(text.as_deref(), Some(r#"{"a":1}"#));
        let expected = [
            "metadata is flat: instead of brackets in brackets, write `\"b.key\" = value`",
            "`a` is given twice",
            "`d` takes a literal",
            "names that begin with `task.`",
            "a name of metadata cannot be empty",
            "metadata cannot contain the character U+0000",
            "`h` must be from",
            "`i` is too large",
            "expected `j = value`",
            "the name of metadata is",
            "`k` takes a literal",
            "`m` takes a literal",
            "`o` takes a literal",
            "`p` must be from",
        ];
        assert_eq!(mistakes.len(), expected.len(), "{mistakes:#?}");
        for beginning in expected {
            assert!(
                mistakes.iter().any(|mistake| mistake.starts_with(beginning)),
                "{beginning}: {mistakes:#?}"
            );
        }
    }

    #[test]
    fn it_stands_in_brackets_and_has_a_limit() {
        for list in [
            quote!(metadata),
            quote!(metadata = "a"),
            quote!(metadata = (a = 1) b),
        ] {
            let (_, mistakes) = read(list);
            assert!(
                mistakes[0].starts_with("`metadata` takes names and literals"),
                "{mistakes:?}"
            );
        }
        let most = "x".repeat(MOST_BYTES - r#"{"a":""}"#.len());
        assert_eq!(read(quote!(metadata(a = #most))).1, [""; 0]);
        let more = most + "x";
        assert!(read(quote!(metadata(a = #more))).1[0].contains("16385 bytes of JSON"));
    }
}
