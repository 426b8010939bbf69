//! The struct of arguments, named like the function.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;

use super::{Task, quiet};
use crate::forward;
use crate::signature::{Parameter, ParameterKind};

/// A struct with braces: the name of a tuple or unit struct would also be a value, and
/// hide the function.
pub(crate) fn structure(task: &Task<'_>) -> TokenStream {
    let (name, visibility, private) = (task.name(), &task.function.visibility, task.private());
    let forwarded = forward::on_the_struct(&task.function.attributes);
    let serde = quote!(#private::serde).to_string().replace(' ', "");
    let fields = task
        .shape
        .parameters
        .iter()
        .filter_map(|parameter| field(task, parameter));
    let quiet = quiet();
    quote! {
        #forwarded
        #[doc = ""]
        #[doc = "These are the arguments of the task; `enqueue` puts a call of it in its queue."]
        #quiet
        #[derive(#private::serde::Serialize, #private::serde::Deserialize)]
        #[serde(crate = #serde)]
        #visibility struct #name {
            #(#fields)*
        }
    }
}

fn field(task: &Task<'_>, parameter: &Parameter) -> Option<TokenStream> {
    let ParameterKind::Stored { ty, may_be_missing } = &parameter.kind else {
        return None;
    };
    let Parameter { name, conditions, .. } = parameter;
    let visibility = &task.function.visibility;
    let doc = format!("The argument `{}`.", name.unraw());
    let default = may_be_missing.then(|| quote!(#[serde(default)]));
    Some(quote! {
        #(#conditions)*
        #[doc = #doc]
        #default
        #visibility #name: #ty,
    })
}
