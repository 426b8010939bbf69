//! `#[task]` from beginning to end: read, check, write, and fall back where it must.

mod arguments;
mod calls;
mod entry;
mod rules;
mod run;
mod unique;

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Attribute, Ident};

use crate::attributes::Attributes;
use crate::forward;
use crate::item::Function;
use crate::mistakes::Mistakes;
use crate::signature::{Output, Shape};
use crate::{fallback, paths};

/// What `#[task(list)] item` becomes.
pub(crate) fn task(list: TokenStream, item: &TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let attributes = Attributes::read(list, &mut mistakes);
    let Some(mut function) = mistakes.keep(Function::read(item)) else {
        return fallback::untouched(item, mistakes);
    };
    refuse_a_second_task(&mut function, &mut mistakes);
    let asked = attributes.takes_context.as_ref();
    let Some(shape) = Shape::read(&mut function.signature, asked, &mut mistakes) else {
        return fallback::untouched(&function, mistakes);
    };
    attributes.schedule.check(&shape.parameters, &mut mistakes);
    attributes.unique.check(&shape.parameters, &mut mistakes);
    let task = Task {
        attributes: &attributes,
        function: &function,
        shape: &shape,
    };
    let generated = if shape.is_callable {
        task.expand()
    } else {
        fallback::stand_in(&task)
    };
    let mistakes = mistakes.into_tokens();
    let sparing = sparing(&shape);
    quote!(#sparing #function #generated #mistakes)
}

/// What clippy would ask of the function and a task cannot do: borrow from a worker that has
/// nothing to keep, and be `const`. It does not ask it of async functions.
fn sparing(shape: &Shape) -> Option<TokenStream> {
    let is_asked = !shape.is_async;
    is_asked.then(|| quote!(#[allow(clippy::missing_const_for_fn, clippy::needless_pass_by_value)]))
}

/// Refuses a second `#[task]` and takes it off: left there, it would define everything
/// a second time.
fn refuse_a_second_task(function: &mut Function, mistakes: &mut Mistakes) {
    let is_task = |attribute: &Attribute| {
        attribute
            .path()
            .segments
            .last()
            .is_some_and(|segment| segment.ident == "task")
    };
    for attribute in function.attributes.extract_if(.., |attribute| is_task(attribute)) {
        mistakes.at(attribute, "`#[task]` is here twice: write all keys in one");
    }
}

/// A function that is a task, and what is known about it.
pub(crate) struct Task<'a> {
    pub(crate) attributes: &'a Attributes,
    pub(crate) function: &'a Function,
    pub(crate) shape: &'a Shape,
}

impl Task<'_> {
    fn expand(&self) -> TokenStream {
        let (name, krate, private) = (self.name(), self.krate(), self.private());
        let (run, entry) = (run::function(self), entry::constant(self));
        let (queue, names) = (entry::queue_check(self), unique::names(self));
        let output = self.output_item();
        self.around(&quote! {
            #run
            #entry
            #[automatically_derived]
            impl #krate::Task for #name {
                #output
                const ENTRY: &'static #krate::TaskEntry = &__TASK_ENTRY;
            }
            #private::inventory::submit! {
                #private::Registered(&__TASK_ENTRY)
            }
            #queue
            #names
        })
    }

    /// The struct, and one block for all that belongs to it: each block is a body that the
    /// compiler checks on its own.
    pub(crate) fn around(&self, rest: &TokenStream) -> TokenStream {
        let (structure, storage) = (arguments::structure(self), arguments::storage(self));
        let (calls, conditions, quiet) = (calls::functions(self), self.conditions(), quiet());
        quote! {
            #structure
            #conditions
            #quiet
            const _: () = {
                #storage
                #calls
                #rest
            };
        }
    }

    /// The function's name, which is the struct's as well.
    pub(crate) fn name(&self) -> &Ident {
        &self.function.signature.ident
    }

    pub(crate) fn krate(&self) -> TokenStream {
        paths::given_or(self.attributes.krate.as_ref(), &quote!(::task_core))
    }

    pub(crate) fn private(&self) -> TokenStream {
        let krate = self.krate();
        quote!(#krate::__private)
    }

    /// The crate's path, for errors that are to be shown at this place.
    pub(crate) fn krate_at(&self, span: Span) -> TokenStream {
        paths::at(self.attributes.krate.as_ref(), &quote!(::task_core), span)
    }

    pub(crate) fn private_at(&self, span: Span) -> TokenStream {
        let krate = self.krate_at(span);
        quote_spanned!(span=> #krate::__private)
    }

    pub(crate) fn conditions(&self) -> TokenStream {
        forward::conditions(&self.function.attributes)
    }

    /// What a successful call leaves behind.
    pub(crate) fn output(&self) -> TokenStream {
        match &self.shape.output {
            Output::Unit => quote!(()),
            Output::Plain(ty) => quote!(#ty),
            Output::Fallible {
                value: Some(value), ..
            } => quote!(#value),
            Output::Fallible { ty, value: None, .. } => {
                let private = self.private_at(paths::span_of(ty));
                quote_spanned!(paths::span_of(ty)=> <#ty as #private::ResultType>::Value)
            }
        }
    }

    /// The same as an item of `Task`, at the type: what the compiler has against it is shown there.
    pub(crate) fn output_item(&self) -> TokenStream {
        let output = self.output();
        quote_spanned!(paths::span_of(&output)=> type Output = #output;)
    }
}

/// Keeps lints about code that a person wrote away from code that nobody did. Only what
/// does fire: where a lint is forbidden, allowing it is an error.
pub(crate) fn quiet() -> TokenStream {
    quote! {
        #[allow(
            clippy::all,
            clippy::nursery,
            clippy::pedantic,
            dead_code,
            deprecated,
            non_camel_case_types,
            non_snake_case,
            private_interfaces,
            unreachable_pub,
            unused_imports,
            unused_qualifications
        )]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> TokenStream {
        text.parse().expect("tokens")
    }

    fn expanded(list: &str, item: &str) -> String {
        task(tokens(list), &tokens(item)).to_string()
    }

    #[track_caller]
    fn assert_has(text: &str, part: &str) {
        let part = tokens(part).to_string();
        assert!(text.contains(&part), "no {part}\nin {text}");
    }

    #[test]
    fn the_function_stays_and_the_struct_stands_beside_it() {
        let function =
            r#"#[instrument] pub(crate) async fn greet(mut name: String) -> String { not even Rust }"#;
        let text = expanded("", function);
        assert!(text.starts_with(&tokens(function).to_string()), "{text}");
        assert_has(&text, "pub(crate) struct greet");
        assert_has(&text, "pub(crate) name: String,");
        assert_has(
            &text,
            "pub(crate) fn new(name: impl ::core::convert::Into<String>)",
        );
        assert_has(&text, "type Output = String;");
        assert_eq!(text.matches("instrument").count(), 1);
        assert!(!text.contains("compile_error"), "{text}");
    }

    #[test]
    fn the_entry_says_what_is_not_as_usual_and_no_more() {
        let text = expanded("", "async fn greet() {}");
        assert_has(
            &text,
            r#"::task_core::__private::StoredName::of(::core::module_path!(), "greet")"#,
        );
        for unusual in [
            "queue",
            "priority",
            "backend",
            "blocking",
            "max_attempts",
            "timeout",
            "aliased",
        ] {
            assert!(!text.contains(&format!(". {unusual} (")), "{unusual} in {text}");
        }
        let list =
            r#"name = "hi", priority = -5, queue = Q, max_attempts = 3, timeout = "1m", aliases = ["a"]"#;
        let text = expanded(list, "fn r#in() {}");
        assert_has(&text, r#"::task_core::TaskEntry::new("hi", __task_run)"#);
        assert_has(&text, ".queue(::task_core::Queue::name(Q))");
        assert_has(
            &text,
            r#".priority(-5).blocking().max_attempts(3).timeout_ms(60000).aliased(&["a"])"#,
        );
    }

    #[test]
    fn only_a_literal_queue_is_compared() {
        assert!(expanded(r#"queue = "special""#, "fn f() {}").contains("check_queue"));
        assert!(!expanded("queue = queues::SPECIAL", "fn f() {}").contains("check_queue"));
        assert!(!expanded("", "fn f() {}").contains("check_queue"));
    }

    #[test]
    fn a_renamed_crate_is_named_everywhere() {
        let text = expanded(
            r#"crate = my::core, queue = "q""#,
            "fn f(a: u8) -> fmt::Result {}",
        );
        assert!(!text.contains("task_core"), "{text}");
    }

    #[test]
    fn a_mistake_in_the_list_leaves_the_task_whole() {
        let text = expanded("priority = 1000", "fn f(a: u8) {}");
        assert_has(&text, "fn __task_run");
        assert!(text.contains("must be from -100 to 100"), "{text}");
    }

    #[test]
    fn a_function_that_cannot_be_called_keeps_its_callers() {
        let text = expanded("", "async fn f<T>(a: T, b: u8, c: &str) {}");
        assert!(!text.contains("__task_run") && !text.contains("submit"), "{text}");
        assert_has(&text, "fn new(a: impl ::core::marker::Sized, b: u8, c: &str)");
        assert_has(&text, "impl ::task_core::Task for f");
    }

    #[test]
    fn what_is_no_function_stays_as_it_is() {
        for item in ["pub struct A { b: u8 }", "impl A { fn c() {} }", "fn d(&self) {}"] {
            let text = expanded("", item);
            assert!(text.starts_with(&tokens(item).to_string()), "{text}");
            assert_eq!(text.matches("compile_error").count(), 1, "{text}");
        }
    }

    #[test]
    fn a_second_task_is_taken_off() {
        let text = expanded("", "#[task_core::task(priority = 1)] fn f() {}");
        assert!(text.contains("needless_pass_by_value)] fn f"), "{text}");
        assert!(text.contains("is here twice"), "{text}");
    }
}
