//! What stands on an argument: `#[task(default)]`, `#[task(alias = "..")]`, and what looks like them.

use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::{Attribute, LitStr, Meta, PatType};

use super::{Parameter, ParameterKind};
use crate::mistakes::Mistakes;
use crate::{attributes, settings};

/// Takes `#[task(..)]` off a parameter: the compiler would not know it.
pub(super) fn take(input: &mut PatType) -> Vec<Attribute> {
    take_if(input, |attribute| attribute.path().is_ident("task"))
}

/// What stands on an argument.
#[derive(Default)]
pub(super) struct Own {
    pub(super) has_default: bool,
    pub(super) aliases: Vec<LitStr>,
}

/// Takes our own attributes and their likenesses off, and reads them.
pub(super) fn read(input: &mut PatType, mistakes: &mut Mistakes) -> Own {
    let mut own = Own::default();
    for attribute in take(input) {
        let Meta::List(list) = &attribute.meta else {
            mistakes.at(
                &attribute,
                "on an argument, only `#[task(default)]` and `#[task(alias = \"old_name\")]` have a meaning",
            );
            continue;
        };
        for setting in settings::read(list.tokens.clone(), &["default", "alias"], mistakes) {
            if setting.name() == "default" {
                own.has_default |= mistakes.keep(setting.flag()).is_some();
            } else {
                own.aliases
                    .extend(attributes::argument_aliases(&setting, mistakes));
            }
        }
    }
    for attribute in take_if(input, |attribute| likeness(attribute).is_some()) {
        own.has_default |= attribute.path().is_ident("default");
        mistakes.at(&attribute, likeness(&attribute).unwrap_or_default());
    }
    own
}

/// Notes aliases that say what an argument or another alias says already, and leaves them out.
/// Arguments under a `#[cfg]` may never meet.
pub(super) fn refuse_equal_names(parameters: &mut [Parameter], mistakes: &mut Mistakes) {
    let is_certain = |parameter: &&mut Parameter| parameter.conditions.is_empty();
    let mut before: Vec<String> = parameters
        .iter_mut()
        .filter(is_certain)
        .map(|parameter| parameter.name.unraw().to_string())
        .collect();
    for parameter in parameters.iter_mut().filter(is_certain) {
        let ParameterKind::Stored { aliases, .. } = &mut parameter.kind else {
            continue;
        };
        aliases.retain(|alias| {
            let text = alias.value();
            let is_new = !before.contains(&text);
            if is_new {
                before.push(text);
            } else {
                mistakes.at(
                    alias,
                    format!("an argument of this task is called `{text}` already"),
                );
            }
            is_new
        });
    }
}

/// What to say of an attribute that is meant for us and written as for somebody else.
fn likeness(attribute: &Attribute) -> Option<&'static str> {
    if attribute.path().is_ident("default") {
        return Some("on an argument this is written `#[task(default)]`");
    }
    if attribute.path().is_ident("serde") {
        return Some(
            "an argument is stored under its own name and has no `#[serde(..)]`; `#[task(default)]` lets it be \
             missing, `#[task(alias = \"old_name\")]` have another name, and its type may have attributes of its own",
        );
    }
    let Meta::List(list) = &attribute.meta else {
        return None;
    };
    (attribute.path().is_ident("cfg_attr") && adds_task(list.tokens.clone()))
        .then_some("`#[task(default)]` cannot depend on a condition: write it without `cfg_attr`")
}

/// Whether `#[cfg_attr(condition, task(..))]` adds one of ours.
fn adds_task(list: TokenStream) -> bool {
    let begins = |part: &TokenStream| part.clone().into_iter().next();
    settings::split_at_commas(list)
        .iter()
        .skip(1)
        .any(|part| matches!(begins(part), Some(TokenTree::Ident(word)) if word == "task"))
}

fn take_if(input: &mut PatType, is_wanted: impl Fn(&Attribute) -> bool) -> Vec<Attribute> {
    let (taken, others) = input.attrs.drain(..).partition(is_wanted);
    input.attrs = others;
    taken
}
