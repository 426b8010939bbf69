//! Which functions can be tasks: what a signature says, and what is refused in it.

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt;
use syn::{FnArg, GenericArgument, GenericParam, PathArguments, ReturnType, Safety, Signature, Type};

use crate::mistakes::Mistakes;
use crate::parameters::{self, Context, Parameter};
use crate::{names, paths, types};

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

/// What the function returns.
pub(crate) enum Output {
    Unit,
    /// A value, stored as it is.
    Plain(Type),
    /// By its name a `Result`.
    Fallible {
        ty: Type,
        /// The type in `Ok`, where it is written down.
        value: Option<Box<Type>>,
        /// Where the type in `Err` stands, or what comes nearest to it.
        error: Span,
    },
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
            let message = "a task is a free function: it cannot take `self`";
            mistakes.at(receiver.self_token, message);
            parameters::remove_own_attributes(signature);
            return None;
        }
        let mut is_callable = accept_qualifiers(signature, mistakes);
        if let Some(reason) = names::refuse_identifier(&signature.ident.unraw().to_string()) {
            mistakes.at(&signature.ident, reason);
            is_callable = false;
        }
        let generics = accept_generics(signature, mistakes);
        is_callable &= generics.is_empty();
        let output = Output::read(&signature.output, &generics, mistakes);
        is_callable &= output.is_some();
        let (context, parameters) = parameters::read(signature, &generics, asked, mistakes);
        is_callable &= context != Context::Broken;
        is_callable &= parameters.iter().all(Parameter::is_stored);

        Some(Self {
            is_async: signature.asyncness.is_some(),
            takes_context: context == Context::First,
            parameters,
            output: output.unwrap_or(Output::Unit),
            is_callable,
        })
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

impl Output {
    /// `None` when what is returned cannot be stored; a mistake was then noted.
    fn read(output: &ReturnType, generics: &[String], mistakes: &mut Mistakes) -> Option<Self> {
        let ReturnType::Type(_, ty) = output else {
            return Some(Self::Unit);
        };
        // Of `_`, the compiler says on its own that it cannot stand here.
        if types::mentions(ty, generics) || types::is_open(ty) {
            return None;
        }
        if matches!(types::peeled(ty), Type::Never(_)) {
            mistakes.at(ty, "a task comes to an end: return `()`, or what it found");
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
            let owned = types::owned(&reference.elem);
            mistakes.at(
                ty,
                format!("what a task returns is stored, so it cannot be a reference: return `{owned}`"),
            );
            return None;
        }
        let output = Self::classify(ty);
        let stored = match &output {
            Self::Plain(ty) => Some(ty),
            Self::Fallible { value, .. } => value.as_deref(),
            Self::Unit => None,
        };
        if let Some(stored) = stored.filter(|ty| types::borrows(ty)) {
            mistakes.at(
                stored,
                "what a task returns is stored, so it cannot borrow: return owned values such as `String`",
            );
            return None;
        }
        Some(output)
    }

    /// By its name a `Result`, or not.
    fn classify(ty: &Type) -> Self {
        let ty = ty.clone();
        match types::last_segment(&ty) {
            Some(segment) if segment.ident.to_string().ends_with("Result") => {
                let types = types_in(&segment.arguments);
                // In an alias of another name the first parameter may be anything.
                let value = types
                    .first()
                    .filter(|_| segment.ident == "Result")
                    .map(|ty| Box::new(ty.clone()));
                let error = paths::span_of(types.last().unwrap_or(&ty));
                Self::Fallible { ty, value, error }
            }
            _ => Self::Plain(ty),
        }
    }
}

fn types_in(arguments: &PathArguments) -> Vec<Type> {
    let PathArguments::AngleBracketed(list) = arguments else {
        return Vec::new();
    };
    let types = list.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty.clone()),
        _ => None,
    });
    types.collect()
}

#[cfg(test)]
mod tests {
    use quote::ToTokens;
    use syn::parse_quote;

    use super::*;

    /// The shape, what was told, and the signature without our attributes.
    fn read(mut signature: Signature, asked: bool) -> (Option<Shape>, Vec<String>, String) {
        let mut mistakes = Mistakes::default();
        let asked = asked.then(|| Ident::new("takes_context", Span::call_site()));
        let shape = Shape::read(&mut signature, asked.as_ref(), &mut mistakes);
        (
            shape,
            mistakes.messages(),
            signature.to_token_stream().to_string(),
        )
    }

    /// What was told of a function that nothing can call.
    fn refused(signature: Signature) -> Vec<String> {
        let (shape, mistakes, _) = read(signature, false);
        assert!(!shape.expect("a free function").is_callable);
        mistakes
    }

    #[test]
    fn an_ordinary_function_is_a_task() {
        let signature = parse_quote! {
            async fn greet(mut name: String, times: Option<u32>, #[task(default)] r#type: u8) -> Result<u8, Error>
        };
        let (shape, mistakes, signature) = read(signature, false);
        let shape = shape.expect("a free function");
        assert!(mistakes.is_empty() && shape.is_callable && shape.is_async && !shape.takes_context);
        let arguments: Vec<_> = shape
            .parameters
            .iter()
            .map(|parameter| parameter.name.to_string())
            .collect();
        assert_eq!(arguments, ["name", "times", "r#type"]);
        assert!(!signature.contains("default"), "{signature}");
        assert!(signature.contains("mut name"), "{signature}");
    }

    #[test]
    fn a_return_type_is_a_result_by_its_name() {
        let value = |output: ReturnType| match Output::read(&output, &[], &mut Mistakes::default()) {
            Some(Output::Unit) => "unit".to_owned(),
            Some(Output::Plain(ty)) => format!("plain {}", ty.to_token_stream()),
            Some(Output::Fallible {
                value: Some(value), ..
            }) => format!("ok {}", value.to_token_stream()),
            Some(Output::Fallible { ty, value: None, .. }) => format!("some {}", ty.to_token_stream()),
            None => "refused".to_owned(),
        };
        assert_eq!(value(parse_quote!()), "unit");
        assert_eq!(value(parse_quote!(-> u8)), "plain u8");
        assert_eq!(value(parse_quote!(-> std::io::Result<u8>)), "ok u8");
        assert_eq!(value(parse_quote!(-> (Result<u8, E>))), "ok u8");
        assert_eq!(value(parse_quote!(-> fmt::Result)), "some fmt :: Result");
        assert_eq!(value(parse_quote!(-> AppResult<u8>)), "some AppResult < u8 >");
        assert_eq!(value(parse_quote!(-> &'static str)), "refused");
    }

    #[test]
    fn the_context_comes_first_and_when_asked_for() {
        let with = |signature, asked| {
            let (shape, mistakes, _) = read(signature, asked);
            let shape = shape.expect("a free function");
            (
                shape.takes_context,
                shape.is_callable,
                shape.parameters.len(),
                mistakes.join(" / "),
            )
        };
        let none = String::new();
        let missing = "takes_context needs a first parameter of type TaskContext".to_owned();
        assert_eq!(
            with(parse_quote!(fn f(c: task_core::TaskContext, a: u8)), true),
            (true, true, 1, none)
        );
        assert_eq!(
            with(parse_quote!(fn f()), true),
            (false, true, 0, missing.clone())
        );
        assert_eq!(
            with(parse_quote!(fn f(a: u8)), true),
            (false, true, 1, missing.clone())
        );
        assert_eq!(
            with(parse_quote!(fn f(a: u8, c: TaskContext)), true),
            (false, false, 1, missing)
        );
        let (takes_context, is_callable, _, mistake) = with(parse_quote!(fn f(c: TaskContext)), false);
        assert!(
            takes_context && is_callable && mistake.contains("`#[task(takes_context)]`"),
            "{mistake}"
        );
        let (_, is_callable, arguments, mistake) = with(parse_quote!(fn f(c: &TaskContext)), true);
        assert!(
            !is_callable && arguments == 0 && mistake.contains("by value"),
            "{mistake}"
        );
        let (_, _, _, mistake) = with(parse_quote!(fn f(c: TaskContext, d: TaskContext)), true);
        assert_eq!(mistake, "a task has one context, and it is the first parameter");
    }

    #[test]
    fn a_method_has_no_shape() {
        let (shape, mistakes, signature) = read(parse_quote!(fn f(&self, #[task(default)] a: u8)), false);
        assert!(shape.is_none() && !signature.contains("default"));
        assert_eq!(mistakes, ["a task is a free function: it cannot take `self`"]);
    }

    #[test]
    fn what_a_task_cannot_be_is_told_in_one_go() {
        let mistakes = refused(parse_quote! {
            unsafe extern "C" fn f<T>(a: T, (b, c): (u8, u8), d: &str, e: impl Copy, g: Vec<&u8>) -> impl Copy
        });
        let expected = [
            "cannot be `extern`",
            "cannot be `unsafe`",
            "cannot be generic",
            "instead of `impl`",
            "a plain name here",
            "take `String`",
            "instead of `impl`",
            "cannot borrow",
        ];
        assert_eq!(mistakes.len(), expected.len(), "{mistakes:#?}");
        for (mistake, part) in mistakes.iter().zip(expected) {
            assert!(mistake.contains(part), "{mistake}");
        }
    }

    #[test]
    fn lifetimes_and_where_clauses_have_sentences_of_their_own() {
        assert!(refused(parse_quote!(fn f<'a>(a: &'a str)))[0].contains("take owned values"));
        let (shape, mistakes, _) = read(parse_quote!(fn f() where u8: Copy), false);
        assert!(shape.expect("a free function").is_callable);
        assert!(mistakes[0].contains("`where`"));
    }

    #[test]
    fn only_default_may_stand_on_an_argument() {
        let (_, mistakes, _) = read(parse_quote!(fn f(#[task(defualt)] a: u8, #[task] b: u8)), false);
        assert!(mistakes[0].contains("did you mean `default`?"));
        assert!(mistakes[1].contains("only `#[task(default)]`"));
        let (_, mistakes, _) = read(parse_quote!(fn f(#[task(default)] c: TaskContext)), true);
        assert_eq!(
            mistakes,
            ["the context is not stored, so this means nothing here"]
        );
    }
}
