//! The parameters of a task: the context first, if it is asked for, then its arguments.

use proc_macro2::{Ident, Span};
use quote::format_ident;
use syn::{Attribute, FnArg, Meta, Pat, PatType, Signature, Type};

use crate::mistakes::Mistakes;
use crate::{settings, types};

const CONTEXT: &str = "TaskContext";

/// What was found out about the first parameter.
#[derive(Debug, PartialEq)]
pub(crate) enum Context {
    None,
    First,
    /// Meant as the context, but nothing that can be passed to the function.
    Broken,
}

/// One argument.
pub(crate) struct Parameter {
    pub(crate) name: Ident,
    /// Its `#[cfg(..)]`.
    pub(crate) conditions: Vec<Attribute>,
    pub(crate) kind: ParameterKind,
}

pub(crate) enum ParameterKind {
    Stored {
        ty: Type,
        /// Tasks that were queued before the parameter existed still run.
        may_be_missing: bool,
    },
    /// A mistake was noted. Callers pass what they would have passed, so that they see no
    /// second one; `None` when only the function itself knows what that is.
    Refused { ty: Option<Type> },
}

/// Reads all parameters, takes our own attributes off them and notes every mistake.
///
/// `generics` are names that mean something only in the signature; `asked` is the word
/// `takes_context`, if it was written.
pub(crate) fn read(
    signature: &mut Signature,
    generics: &[String],
    asked: Option<&Ident>,
    mistakes: &mut Mistakes,
) -> (Context, Vec<Parameter>) {
    let context = find_context(signature, asked, mistakes);
    let mut inputs = signature.inputs.iter_mut().filter_map(typed);
    if context != Context::None
        && let Some(first) = inputs.next()
        && let Some(attribute) = take_own_attributes(first).first()
    {
        mistakes.at(attribute, "the context is not stored, so this means nothing here");
    }
    let reader = Reader {
        generics,
        context: &context,
        is_asked: asked.is_some(),
    };
    let parameters = inputs
        .enumerate()
        .map(|(index, input)| reader.read(index, input, mistakes))
        .collect();
    (context, parameters)
}

/// Takes our own attributes off all parameters, unread.
pub(crate) fn remove_own_attributes(signature: &mut Signature) {
    for input in signature.inputs.iter_mut().filter_map(typed) {
        drop(take_own_attributes(input));
    }
}

/// Compares what was asked for with the first parameter.
fn find_context(signature: &Signature, asked: Option<&Ident>, mistakes: &mut Mistakes) -> Context {
    let message = "takes_context needs a first parameter of type TaskContext";
    let Some(FnArg::Typed(first)) = signature.inputs.first() else {
        if asked.is_some() {
            mistakes.at(&signature.ident, message);
        }
        return Context::None;
    };
    let is_named = matches!(&*first.pat, Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none());
    let by_value = is_named && types::is_called(&first.ty, CONTEXT);
    let means_context = types::mentions(&first.ty, &[CONTEXT.to_owned()]);
    match (asked, by_value, means_context) {
        (Some(_), true, _) => Context::First,
        (None, true, _) => {
            mistakes.at(
                &first.ty,
                "the context is handed over to tasks that ask for it: `#[task(takes_context)]`",
            );
            Context::First
        }
        (_, false, true) => {
            mistakes.at(
                first,
                "the context is handed over by value: `context: TaskContext`",
            );
            Context::Broken
        }
        (Some(_), false, false) => {
            mistakes.at(first, message);
            Context::None
        }
        (None, false, false) => Context::None,
    }
}

struct Reader<'a> {
    generics: &'a [String],
    context: &'a Context,
    is_asked: bool,
}

impl Reader<'_> {
    fn read(&self, index: usize, input: &mut PatType, mistakes: &mut Mistakes) -> Parameter {
        let may_be_missing = read_own_attributes(input, mistakes) || types::is_called(&input.ty, "Option");
        let name = name(&input.pat);
        if name.is_none() {
            let message = "an argument is stored under its name: write a plain name here and take it apart \
                           in the body";
            mistakes.at(&input.pat, message);
        }
        let is_storable = self.accept_type(&input.ty, mistakes) && name.is_some();
        let ty = (*input.ty).clone();
        Parameter {
            name: name.unwrap_or_else(|| format_ident!("argument_{index}", span = Span::mixed_site())),
            conditions: input
                .attrs
                .iter()
                .filter(|attribute| attribute.path().is_ident("cfg"))
                .cloned()
                .collect(),
            kind: if is_storable {
                ParameterKind::Stored { ty, may_be_missing }
            } else {
                ParameterKind::Refused {
                    ty: Some(ty).filter(|ty| self.can_be_passed(ty)),
                }
            },
        }
    }

    /// Whether the type means outside of the function what it means in its signature.
    fn can_be_passed(&self, ty: &Type) -> bool {
        let is_reference = matches!(types::peeled(ty), Type::Reference(_));
        !types::mentions(ty, self.generics) && (is_reference || !types::borrows(ty))
    }

    /// Whether the type can be written into the struct of arguments. Whether it can be
    /// stored as well, only the compiler knows.
    fn accept_type(&self, ty: &Type, mistakes: &mut Mistakes) -> bool {
        if types::mentions(ty, self.generics) {
            return false;
        }
        if types::mentions(ty, &["impl".to_owned()]) {
            mistakes.at(
                ty,
                "an argument is stored with its type: write the type itself instead of `impl`",
            );
        } else if types::is_called(ty, CONTEXT) {
            match (self.context, self.is_asked) {
                (Context::None, true) => {}
                (Context::None, false) => {
                    mistakes.at(
                        ty,
                        "the context must be the first parameter, and `#[task(takes_context)]` ask for it",
                    );
                }
                _ => mistakes.at(ty, "a task has one context, and it is the first parameter"),
            }
        } else if let Type::Reference(reference) = types::peeled(ty) {
            let owned = types::owned(reference);
            mistakes.at(
                ty,
                format!("an argument outlives the call, so it cannot be a reference: take `{owned}`"),
            );
        } else if types::borrows(ty) {
            mistakes.at(
                ty,
                "an argument outlives the call, so it cannot borrow: take owned values such as `String`",
            );
        } else {
            return true;
        }
        false
    }
}

/// The name of a plain parameter. `mut` is the function's own business.
fn name(pattern: &Pat) -> Option<Ident> {
    match pattern {
        Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => Some(pat.ident.clone()),
        _ => None,
    }
}

fn typed(input: &mut FnArg) -> Option<&mut PatType> {
    match input {
        FnArg::Typed(typed) => Some(typed),
        FnArg::Receiver(_) => None,
    }
}

/// Takes `#[task(..)]` off a parameter: the compiler would not know it.
fn take_own_attributes(input: &mut PatType) -> Vec<Attribute> {
    let (own, others) = input
        .attrs
        .drain(..)
        .partition(|attribute| attribute.path().is_ident("task"));
    input.attrs = others;
    own
}

/// Whether `#[task(default)]` is there.
fn read_own_attributes(input: &mut PatType, mistakes: &mut Mistakes) -> bool {
    let mut has_default = false;
    for attribute in take_own_attributes(input) {
        let Meta::List(list) = &attribute.meta else {
            mistakes.at(
                &attribute,
                "on an argument, only `#[task(default)]` has a meaning",
            );
            continue;
        };
        for setting in settings::read(list.tokens.clone(), &["default"], mistakes) {
            has_default |= mistakes.keep(setting.flag()).is_some();
        }
    }
    has_default
}

impl Parameter {
    pub(crate) fn is_stored(&self) -> bool {
        matches!(self.kind, ParameterKind::Stored { .. })
    }
}
