//! Which functions can be tasks: what a signature says, and what is refused in it.

use proc_macro2::{Ident, Span};
use quote::format_ident;
use syn::{Attribute, FnArg, GenericParam, Meta, Pat, PatType, ReturnType, Safety, Signature, Type};

use crate::mistakes::Mistakes;
use crate::settings;
use crate::types;

const CONTEXT: &str = "TaskContext";

/// The function as those see it who call it by name, later.
pub(crate) struct Shape {
    pub(crate) is_async: bool,
    /// The first parameter is a `TaskContext`; it is not among `parameters`.
    pub(crate) takes_context: bool,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) output: Output,
    /// Whether generated code can call the function. When not, a mistake was noted.
    pub(crate) is_callable: bool,
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

/// What the function returns.
pub(crate) enum Output {
    Unit,
    /// A value, stored as it is.
    Plain(Type),
    /// By its name a `Result`.
    Fallible {
        ty: Type,
        /// The type in `Ok`, where it is written down.
        value: Option<Type>,
    },
}

/// What was found out about the first parameter.
#[derive(PartialEq)]
enum Context {
    None,
    First,
    /// Meant as the context, but nothing that can be passed to the function.
    Broken,
}

impl Shape {
    /// Reads a signature, takes our own attributes out of it and notes every mistake.
    ///
    /// `asked` is the word `takes_context`, if it was written. There is no shape of a
    /// method: nothing can be put beside one.
    pub(crate) fn read(
        signature: &mut Signature,
        asked: Option<&Ident>,
        mistakes: &mut Mistakes,
    ) -> Option<Self> {
        if let Some(FnArg::Receiver(receiver)) = signature.inputs.first() {
            mistakes.at(
                receiver.self_token,
                "a task is a free function: it cannot take `self`",
            );
            signature
                .inputs
                .iter_mut()
                .filter_map(typed)
                .for_each(|typed| drop(take_own_attributes(typed)));
            return None;
        }
        let mut is_callable = accept_qualifiers(signature, mistakes);
        let generics = accept_generics(signature, mistakes);
        is_callable &= generics.is_empty();
        let output = Output::read(&signature.output, &generics, mistakes);
        is_callable &= output.is_some();
        let context = find_context(signature, asked, mistakes);
        is_callable &= context != Context::Broken;

        let mut inputs = signature.inputs.iter_mut().filter_map(typed);
        if context != Context::None
            && let Some(first) = inputs.next()
            && let Some(attribute) = take_own_attributes(first).first()
        {
            mistakes.at(attribute, "the context is not stored, so this means nothing here");
        }
        let reader = ParameterReader {
            generics: &generics,
            context: &context,
            asked: asked.is_some(),
        };
        let parameters: Vec<_> = inputs
            .enumerate()
            .map(|(index, input)| reader.read(index, input, mistakes))
            .collect();
        is_callable &= parameters.iter().all(|parameter| parameter.stored().is_some());

        Some(Self {
            is_async: signature.asyncness.is_some(),
            takes_context: context == Context::First,
            parameters,
            output: output.unwrap_or(Output::Unit),
            is_callable,
        })
    }
}

impl Parameter {
    /// Its type, unless it was refused.
    pub(crate) fn stored(&self) -> Option<&Type> {
        match &self.kind {
            ParameterKind::Stored { ty, .. } => Some(ty),
            ParameterKind::Refused { .. } => None,
        }
    }
}

/// Notes words before `fn` that a task cannot have; whether it can be called all the same.
fn accept_qualifiers(signature: &Signature, mistakes: &mut Mistakes) -> bool {
    if let Some(word) = &signature.constness {
        mistakes.at(word, "a task runs later, in a worker: it cannot be `const`");
    }
    if let Some(abi) = &signature.abi {
        mistakes.at(abi, "a task is called by name from Rust: it cannot be `extern`");
    }
    if let Some(variadic) = &signature.variadic {
        mistakes.at(
            variadic,
            "the arguments of a task are stored by name: it cannot be variadic",
        );
    }
    if let Safety::Unsafe(word) = &signature.safety {
        mistakes.at(
            word,
            "a worker cannot know what makes a call safe: a task cannot be `unsafe`",
        );
    }
    signature.variadic.is_none() && !matches!(signature.safety, Safety::Unsafe(_))
}

/// Notes generic parameters, and returns their names.
fn accept_generics(signature: &Signature, mistakes: &mut Mistakes) -> Vec<String> {
    let generics = &signature.generics;
    let is_lifetime = |parameter: &GenericParam| matches!(parameter, GenericParam::Lifetime(_));
    if generics.params.is_empty() {
        if let Some(clause) = &generics.where_clause {
            mistakes.at(
                clause,
                "a task is not generic, so it cannot have a `where` clause",
            );
        }
    } else if generics.params.iter().all(is_lifetime) {
        let message = "a task outlives the call that enqueues it, so it cannot borrow: take owned values";
        mistakes.at(&generics.params, message);
    } else {
        let message = "a task is stored by name, so it cannot be generic: write one task for each type, \
                       or take an enum of them";
        mistakes.at(&generics.params, message);
    }
    generics
        .params
        .iter()
        .map(|parameter| match parameter {
            GenericParam::Lifetime(lifetime) => lifetime.lifetime.ident.to_string(),
            GenericParam::Type(ty) => ty.ident.to_string(),
            GenericParam::Const(constant) => constant.ident.to_string(),
        })
        .collect()
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

/// Reads parameters that are arguments.
struct ParameterReader<'a> {
    generics: &'a [String],
    context: &'a Context,
    asked: bool,
}

impl ParameterReader<'_> {
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
                    ty: Some(ty).filter(|ty| !types::mentions(ty, self.generics)),
                }
            },
        }
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
            match (self.context, self.asked) {
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

impl Output {
    /// `None` when what is returned cannot be stored; a mistake was then noted.
    fn read(output: &ReturnType, generics: &[String], mistakes: &mut Mistakes) -> Option<Self> {
        let ReturnType::Type(_, ty) = output else {
            return Some(Self::Unit);
        };
        if types::mentions(ty, generics) {
            return None;
        }
        if types::mentions(ty, &["impl".to_owned()]) {
            mistakes.at(
                ty,
                "what a task returns is stored with its type: write the type itself instead of `impl`",
            );
            return None;
        }
        if let Type::Reference(reference) = types::peeled(ty) {
            let owned = types::owned(reference);
            mistakes.at(
                ty,
                format!("what a task returns is stored, so it cannot be a reference: return `{owned}`"),
            );
            return None;
        }
        let ty = (**ty).clone();
        match types::last_segment(&ty) {
            Some(segment) if segment.ident.to_string().ends_with("Result") => {
                // In aliases of other names the first parameter may be anything.
                let value = if segment.ident == "Result" {
                    first_type(&segment.arguments)
                } else {
                    None
                };
                Some(Self::Fallible { ty, value })
            }
            _ => Some(Self::Plain(ty)),
        }
    }
}

fn first_type(arguments: &syn::PathArguments) -> Option<Type> {
    let syn::PathArguments::AngleBracketed(list) = arguments else {
        return None;
    };
    list.args.iter().find_map(|argument| match argument {
        syn::GenericArgument::Type(ty) => Some(ty.clone()),
        _ => None,
    })
}
