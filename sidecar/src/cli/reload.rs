//! `picket reload`: the daemon reads its configuration again.

use clap::Args;
use hyper::Method;

use super::{exit, reach};
use crate::api::ReloadAnswer;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    question: reach::Question,
}

pub(super) fn run(arguments: Arguments) -> exit::Exit {
    arguments.question.ask(Method::POST, "/v1/reload", |answer, _| sentence(answer))
}

fn sentence(answer: &ReloadAnswer) -> String {
    let ReloadAnswer { added, removed, changed } = answer;
    if added + removed + changed == 0 {
        return "the configuration is in force; no sandbox is affected".to_owned();
    }
    format!(
        "the configuration is in force; sandboxes: {added} added, {removed} removed, {changed} changed"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_says_what_it_did_to_sandboxes() {
        let answer = ReloadAnswer { added: 1, removed: 0, changed: 2 };
        insta::assert_snapshot!(
            sentence(&answer),
            @"the configuration is in force; sandboxes: 1 added, 0 removed, 2 changed"
        );
        let nothing = ReloadAnswer { added: 0, removed: 0, changed: 0 };
        insta::assert_snapshot!(
            sentence(&nothing),
            @"the configuration is in force; no sandbox is affected"
        );
    }
}
