//! Reports errors: in the contract's form on stderr, as one annotation in Actions, inside the JSON document.

use fault::{Fault, Kind};
use runner::foreign;
use serde_json::{Value, json};

use crate::{Console, Exit};

/// How many pieces of evidence are shown.
const CAUSES: usize = 3;

/// The fault that an error carries, the contexts around it in front; an error without one is reported as a
/// usage error (exit 2).
#[must_use]
pub fn fault_of(error: &anyhow::Error) -> Fault {
    let mut fault = match error.downcast_ref::<Fault>() {
        Some(fault) => fault.clone(),
        None => Fault::new(Kind::Usage, error.root_cause().to_string()),
    };
    let contexts: Vec<String> =
        error.chain().map(ToString::to_string).take_while(|text| *text != fault.message).collect();
    for context in contexts.into_iter().rev() {
        fault = fault.context(context);
    }
    fault
}

/// The fault as the `error` of a JSON document.
#[must_use]
pub fn error_document(fault: &Fault) -> Value {
    json!({ "message": fault.message, "causes": fault.causes, "help": fault.help })
}

/// Reports a fault in the contract's form, and in the JSON document if stdout carries one. Returns the exit code that goes with it.
#[must_use]
pub fn report(console: &Console, fault: &Fault, prints_json: bool) -> Exit {
    if prints_json {
        let document = json!({ "schema_version": 1, "tool": console.tool(), "error": error_document(fault) });
        // If stdout cannot be written, the error still goes to stderr.
        let _ = console.print(format!("{document}\n"));
    }
    console.fail(&text(fault));
    fault.kind.into()
}

/// Renders help and version, which clap returns as errors.
pub(crate) fn help(console: &Console, error: &clap::Error) -> String {
    let rendered = error.render();
    if console.stdout_is_terminal() { rendered.ansi().to_string() } else { rendered.to_string() }
}

/// Wrong usage, in clap's own words.
pub(crate) fn report_usage(console: &Console, error: &clap::Error) -> Exit {
    let text = error.render().to_string();
    console.fail(text.trim_end().trim_start_matches("error: "));
    Exit::Usage
}

/// Line 1 what failed, then the evidence, then the advice. A service's text is made safe line by line.
fn text(fault: &Fault) -> String {
    let safe = |text: &str| foreign::lines(text).replace('\n', "\n    ");
    let mut lines = vec![safe(&fault.message)];
    lines.extend(fault.causes.iter().take(CAUSES).map(|cause| format!("  caused by: {}", safe(cause))));
    lines.extend(fault.help.iter().map(|help| format!("  help: {}", safe(help))));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;
    use fault::{Fault, Kind};

    use super::{fault_of, text};

    fn refused() -> Fault {
        Fault::permission("POST https://api.cloudflare.com/client/v4/x answered 403 (10000: Authentication error)")
            .help("give CLOUDFLARE_API_TOKEN the permission \"Cloudflare Pages: Edit\"")
    }

    #[test]
    fn contexts_stand_in_front_of_the_fault_they_were_put_around() {
        let error =
            Err::<(), _>(refused()).context("cannot create the deployment").context("failed to deploy site `docs`");
        let fault = fault_of(&error.unwrap_err());
        assert_eq!(fault.kind, Kind::Permission);
        insta::assert_snapshot!(text(&fault), @r#"
        failed to deploy site `docs`
          caused by: cannot create the deployment
          caused by: POST https://api.cloudflare.com/client/v4/x answered 403 (10000: Authentication error)
          help: give CLOUDFLARE_API_TOKEN the permission "Cloudflare Pages: Edit"
        "#);
    }

    #[test]
    fn an_error_of_another_crate_is_exit_2() {
        let fault = fault_of(&anyhow::anyhow!("no such file").context("cannot read `x`"));
        assert_eq!((fault.kind, fault.message.as_str()), (Kind::Usage, "cannot read `x`"));
        assert_eq!(fault.causes, ["no such file"]);
    }

    #[test]
    fn a_services_words_cannot_begin_a_command() {
        let fault = Fault::failed("x answered 500").cause("oops\n::set-output name=a::b\r##[error]c");
        insta::assert_snapshot!(text(&fault), @r"
        x answered 500
          caused by: oops
            │ ::set-output name=a::b
            ##\[error]c
        ");
    }

    #[test]
    fn at_most_three_causes_are_shown() {
        let fault = Fault::failed("a").cause("1").cause("2").cause("3").cause("4");
        assert!(!text(&fault).contains('4'));
    }
}
