//! The parameters of a task: the context first, if it is asked for, then its arguments.

mod attributes;

use proc_macro2::{Ident, Span, TokenStream};
use quote::format_ident;
use syn::ext::IdentExt;
use syn::{FnArg, LitStr, Pat, PatType, Signature, Type};

use crate::mistakes::Mistakes;
use crate::{forward, names, types};

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
    pub(crate) conditions: TokenStream,
    pub(crate) kind: ParameterKind,
}

pub(crate) enum ParameterKind {
    Stored {
        ty: Type,
        /// Tasks that were queued before the parameter existed still run.
        may_be_missing: bool,
        /// Older names: tasks that were queued with them still run.
        aliases: Vec<LitStr>,
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
        && let Some(attribute) = attributes::take(first).first()
    {
        mistakes.at(attribute, "the context is not stored, so this means nothing here");
    }
    let reader = Reader {
        generics,
        context: &context,
        is_asked: asked.is_some(),
    };
    let mut parameters: Vec<Parameter> = Vec::new();
    let mut is_complete = true;
    for (index, input) in inputs.enumerate() {
        // A context in a wrong place is left out of `new` and `enqueue`: nobody passes one.
        if reader.is_misplaced_context(&input.ty, mistakes) {
            attributes::take(input);
            is_complete = false;
        } else {
            let parameter = reader.read(index, input, &parameters, mistakes);
            parameters.push(parameter);
        }
    }
    attributes::refuse_equal_names(&mut parameters, mistakes);
    (if is_complete { context } else { Context::Broken }, parameters)
}

/// Takes our own attributes off all parameters, unread.
pub(crate) fn remove_own_attributes(signature: &mut Signature) {
    for input in signature.inputs.iter_mut().filter_map(typed) {
        attributes::take(input);
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
    /// Notes a context that is not the first parameter.
    fn is_misplaced_context(&self, ty: &Type, mistakes: &mut Mistakes) -> bool {
        if !types::is_called(ty, CONTEXT) {
            return false;
        }
        match (self.context, self.is_asked) {
            // Told at the first parameter.
            (Context::None, true) => {}
            (Context::None, false) => {
                mistakes.at(
                    ty,
                    "the context must be the first parameter, and `#[task(takes_context)]` ask for it",
                );
            }
            _ => mistakes.at(ty, "a task has one context, and it is the first parameter"),
        }
        true
    }

    fn read(
        &self,
        index: usize,
        input: &mut PatType,
        before: &[Parameter],
        mistakes: &mut Mistakes,
    ) -> Parameter {
        let own = attributes::read(input, mistakes);
        let may_be_missing = own.has_default || types::is_called(&input.ty, "Option");
        let name = accepted_name(&input.pat, before, mistakes);
        let is_storable = self.accept_type(&input.ty, mistakes) && name.is_some();
        let ty = (*input.ty).clone();
        Parameter {
            name: name.unwrap_or_else(|| format_ident!("argument_{index}", span = Span::mixed_site())),
            conditions: forward::conditions(&input.attrs),
            kind: if is_storable {
                ParameterKind::Stored {
                    ty,
                    may_be_missing,
                    aliases: own.aliases,
                }
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
        !types::mentions(ty, self.generics)
            && !types::is_open(ty)
            && types::owned_of_unsized(ty).is_none()
            && (is_reference || !types::borrows(ty))
    }

    /// Whether the type can be written into the struct of arguments. Whether it can be
    /// stored as well, only the compiler knows.
    fn accept_type(&self, ty: &Type, mistakes: &mut Mistakes) -> bool {
        // Of `_`, the compiler says on its own that it cannot stand here.
        if types::mentions(ty, self.generics) || types::is_open(ty) {
            return false;
        }
        let message = if types::mentions(ty, &["impl".to_owned()]) {
            "an argument is stored with its type: write the type itself instead of `impl`".to_owned()
        } else if let Type::Reference(reference) = types::peeled(ty) {
            let owned = types::owned(&reference.elem);
            format!("an argument outlives the call, so it cannot be a reference: take `{owned}`")
        } else if let Some(owned) = types::owned_of_unsized(ty) {
            format!("an argument has a size that is known: take `{owned}`")
        } else if types::borrows(ty) {
            "an argument outlives the call, so it cannot borrow: take owned values such as `String`"
                .to_owned()
        } else if let Some(what) = types::bound_to_one_process(ty) {
            format!("{what} means something in one process and thread only: take the value itself")
        } else {
            return true;
        };
        mistakes.at(ty, message);
        false
    }
}

/// The name of a parameter under which it can be stored, or nothing and why.
fn accepted_name(pattern: &Pat, before: &[Parameter], mistakes: &mut Mistakes) -> Option<Ident> {
    let Some(name) = name(pattern) else {
        let message = "an argument is stored under its name: write a plain name here and take it apart in \
                       the body";
        mistakes.at(pattern, message);
        return None;
    };
    if let Some(reason) = names::refuse_identifier(&name.unraw().to_string()) {
        mistakes.at(&name, reason);
        return None;
    }
    // Of a name that is there twice, the compiler complains at the function itself.
    let is_new = before.iter().all(|other| other.name.unraw() != name.unraw());
    is_new.then_some(name)
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

impl Parameter {
    pub(crate) fn is_stored(&self) -> bool {
        matches!(self.kind, ParameterKind::Stored { .. })
    }
}
