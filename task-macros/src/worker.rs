//! `worker!`: the `main` of a worker binary, and the references that make the linker
//! keep the crates whose tasks it runs.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Path, Token};

use crate::mistakes::Mistakes;
use crate::{paths, settings};

/// What `worker! { list }` becomes.
pub(crate) fn expand(list: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let (mut tasks, mut cli): (Option<Vec<Path>>, Option<Path>) = (None, None);
    let mut tasks_are_given = false;
    for setting in settings::read(list, &["tasks", "cli"], &mut mistakes) {
        if setting.name() == "tasks" {
            tasks_are_given = true;
            let list = setting.parse::<PathList>("a list of crates, such as `tasks = [app, billing::tasks]`");
            tasks = mistakes.keep(list).map(|list| list.0.into_iter().collect());
        } else {
            cli = mistakes
                .keep(setting.parse("the path of the command line crate, such as `cli = my_task_cli`"));
        }
    }
    if !tasks_are_given && mistakes.is_empty() {
        let message = "name the crates whose tasks this worker runs: `worker! { tasks = [app] }`. A crate that \
                       is not named is not linked, and its tasks are then unknown";
        mistakes.at_span(Span::call_site(), message);
    }
    let tasks = tasks.unwrap_or_default();
    refuse_repetitions(&tasks, &mut mistakes);
    let linked = tasks
        .iter()
        .filter(|path| !is_own_crate(path))
        .map(|path| quote_spanned!(paths::span_of(path)=> #[allow(unused_imports)] use #path as _;));
    let body = if mistakes.is_empty() {
        run(&tasks, cli.as_ref())
    } else {
        quote!(::core::unreachable!())
    };
    let mistakes = mistakes.into_tokens();
    quote! {
        #(#linked)*

        fn main() -> ::std::process::ExitCode {
            #body
        }
        #mistakes
    }
}

fn run(tasks: &[Path], cli: Option<&Path>) -> TokenStream {
    let cli = paths::at(cli, &quote!(::task_cli), Span::call_site());
    let mut names: Vec<String> = Vec::new();
    for name in tasks.iter().filter_map(crate_name) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    // The crate of the binary itself: only the compiler knows its name.
    let own = tasks
        .iter()
        .any(starts_here)
        .then(|| quote!(::core::module_path!()));
    let own = own.iter();
    quote!(#cli::worker_main(&[#(#names,)* #(#own,)*]))
}

fn refuse_repetitions(tasks: &[Path], mistakes: &mut Mistakes) {
    let written: Vec<String> = tasks.iter().map(|path| quote!(#path).to_string()).collect();
    for (index, path) in tasks.iter().enumerate() {
        if written[..index].contains(&written[index]) {
            mistakes.at(
                path,
                format!("`{}` is named twice", written[index].replace(' ', "")),
            );
        }
    }
}

/// Just `crate`: it is linked as it is, and cannot be imported.
fn is_own_crate(path: &Path) -> bool {
    path.is_ident("crate")
}

/// A path inside the crate of the binary.
fn starts_here(path: &Path) -> bool {
    path.segments
        .first()
        .is_some_and(|first| first.ident == "crate" || first.ident == "self")
}

/// The crate a path begins with, unless it is the one of the binary.
fn crate_name(path: &Path) -> Option<String> {
    if starts_here(path) {
        return None;
    }
    path.segments.first().map(|first| first.ident.unraw().to_string())
}

/// `[app, billing::tasks]`
struct PathList(Punctuated<Path, Token![,]>);

impl Parse for PathList {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let list;
        syn::bracketed!(list in input);
        list.parse_terminated(Path::parse_mod_style, Token![,]).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(list: TokenStream) -> String {
        expand(list).to_string()
    }

    #[test]
    fn each_crate_is_referred_to_and_named_once() {
        let expected = quote! {
            #[allow(unused_imports)]
            use app as _;
            #[allow(unused_imports)]
            use billing::tasks as _;
            #[allow(unused_imports)]
            use billing::more as _;
            fn main() -> ::std::process::ExitCode {
                ::task_cli::worker_main(&["app", "billing",])
            }
        };
        assert_eq!(
            expanded(quote!(tasks = [app, billing::tasks, billing::more])),
            expected.to_string()
        );
    }

    #[test]
    fn no_crate_at_all_is_left_to_the_worker_to_refuse() {
        let expected = quote! {
            fn main() -> ::std::process::ExitCode {
                my::cli::worker_main(&[])
            }
        };
        assert_eq!(expanded(quote!(tasks = [], cli = my::cli)), expected.to_string());
    }

    #[test]
    fn the_binary_may_have_tasks_of_its_own() {
        let text = expanded(quote!(tasks = [crate, app]));
        assert!(!text.contains("use crate as"), "{text}");
        assert!(
            text.contains(&quote!(&["app", ::core::module_path!(),]).to_string()),
            "{text}"
        );
    }

    #[test]
    fn mistakes_are_told_and_main_is_there_all_the_same() {
        for (list, message) in [
            (quote!(), "name the crates whose tasks this worker runs"),
            (quote!(task = [app]), "did you mean `tasks`?"),
            (quote!(tasks = app), "`tasks` takes a list of crates"),
            (quote!(tasks = [app, app]), "`app` is named twice"),
            (quote!(tasks = [app], cli = "cli"), "`cli` takes the path"),
        ] {
            let text = expanded(list);
            assert!(text.contains(message) && text.contains("fn main ()"), "{text}");
        }
    }
}
