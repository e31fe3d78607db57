//! Calls of a deployment's scripts.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::print_stderr, clippy::unwrap_used)] // a test

#[path = "support/fake_deployment.rs"]
mod fake_deployment;

use std::process::Command;

use fake_deployment::FakeHost;
use zulip_backup_core::site::{ScriptCall, ScriptOutput, ScriptRunner, ScriptStatus, Site};
use zulip_backup_core::{ErrorKind, Event, Progress, Recorder, Result, Silent};

#[test]
fn calls_arrive_in_order_with_their_arguments() {
    let host = FakeHost::production();
    let site = host.site();
    let deployment = site.deployment().unwrap();
    let calls = [
        deployment.script("scripts/stop-server").unwrap(),
        deployment.script("scripts/setup/terminate-psql-sessions").unwrap().arg("zulip").arg("a b; $(c)"),
        deployment.script("manage.py").unwrap().args(["migrate", "--noinput"]),
    ];
    for call in &calls {
        site.run(call, &Silent).unwrap();
    }
    let arrived: Vec<(String, Vec<String>)> = host.calls().into_iter().map(|call| (call.script, call.args)).collect();
    assert_eq!(
        arrived,
        [
            ("scripts/stop-server".to_owned(), vec![]),
            ("scripts/setup/terminate-psql-sessions".to_owned(), vec!["zulip".to_owned(), "a b; $(c)".to_owned()]),
            ("manage.py".to_owned(), vec!["migrate".to_owned(), "--noinput".to_owned()]),
        ]
    );
    assert_eq!(calls[1].to_string(), "scripts/setup/terminate-psql-sessions zulip 'a b; $(c)' (as zulip)");
    let json = serde_json::to_value(&calls[2]).unwrap();
    assert_eq!((json["program"].as_str(), json["user"].as_str()), (Some("./manage.py"), Some("zulip")));
}

#[test]
fn a_failing_script_is_named_with_its_last_words() {
    let host = FakeHost::production();
    host.fail("scripts/restart-server", 7, "supervisor is down");
    let site = host.site();
    let call = site.deployment().unwrap().script("scripts/restart-server").unwrap().arg("--fill-cache");
    let recorder = Recorder::default();
    let error = site.run(&call, &recorder).unwrap_err();
    assert_eq!(error.to_string(), "scripts/restart-server --fill-cache (as zulip) ended with exit status 7");
    assert!(error.chain().ends_with("supervisor is down"), "{}", error.chain());
    assert_eq!(recorder.events(), [Event::Message("supervisor is down".to_owned())]);
}

#[test]
fn only_what_is_in_the_deployment_is_a_script_of_it() {
    let host = FakeHost::production();
    let site = host.site();
    let deployment = site.deployment().unwrap();
    assert_eq!(deployment.script("scripts/none").unwrap_err().kind(), ErrorKind::NotFound);
    for outside in ["/bin/sh", "../../../bin/sh", "", "scripts/../../x"] {
        assert_eq!(deployment.script(outside).unwrap_err().kind(), ErrorKind::Usage, "{outside}");
    }
    assert!(deployment.has("scripts/stop-server") && !deployment.has("../current/manage.py"));
}

#[test]
fn root_acts_as_the_owner() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: this is not root");
        return;
    }
    let host = FakeHost::production();
    host.give_to(65534, 65534);
    let site = host.site();
    let deployment = site.deployment().unwrap();
    assert_eq!(deployment.owner().uid, 65534);
    site.run(&deployment.script("scripts/start-server").unwrap(), &Silent).unwrap();
    site.run(&deployment.script("scripts/zulip-puppet-apply").unwrap().arg("-f").as_caller(), &Silent).unwrap();
    assert_eq!(site.external_host().unwrap().value, "chat.example.com");
    let uids: Vec<u32> = host.calls().iter().map(|call| call.uid).collect();
    assert_eq!(uids, [65534, 0, 65534], "start-server, puppet, get-django-setting");
    let groups = ScriptCall::new("/usr/bin/id", "/").arg("-G").user(deployment.owner().clone());
    assert_eq!(site.run(&groups, &Silent).unwrap().stdout.trim(), "65534", "root's groups are gone");
    // Peer authentication: the socket is opened as the system user of the role's name.
    assert_eq!(site.database().unwrap().value.run_as.as_ref().unwrap().uid, 65534);
}

/// Answers from memory: what a plan's test would use.
struct Scripted;

impl ScriptRunner for Scripted {
    fn execute(&self, call: &ScriptCall, _progress: &dyn Progress) -> Result<ScriptOutput> {
        let stdout = if call.args == ["EXTERNAL_HOST"] { "scripted.example.com\n" } else { "" };
        Ok(ScriptOutput {
            status: ScriptStatus::Exited(0),
            stdout: stdout.to_owned(),
            last_lines: vec![],
            seconds: 0.0,
        })
    }
}

#[test]
fn the_runner_can_be_replaced() {
    let host = FakeHost::production();
    let site = Site::builder().options(host.options()).runner(Scripted).build().unwrap();
    assert_eq!(site.external_host().unwrap().value, "scripted.example.com");
    assert!(host.calls().is_empty());
}

#[test]
fn git_describes_a_deployment_as_upstream_would() {
    let host = FakeHost::production();
    let git = |args: &[&str]| {
        let who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"];
        Command::new("git").current_dir(host.deployment()).args(who).args(args).output()
    };
    if git(&["init", "-q"]).is_err() {
        eprintln!("skipped: there is no git");
        return;
    }
    for args in [["add", "-A"].as_slice(), &["commit", "-qm", "a"], &["tag", "shared-0.1"], &["tag", "10.1"]] {
        assert!(git(args).unwrap().status.success());
    }
    let described = host.site().version().unwrap().git_describe.clone().unwrap();
    assert!(described.starts_with("10.1-0-g") && !described.ends_with("-dirty"), "{described}");
    host.write(
        &format!("/home/zulip/deployments/{}/version.py", fake_deployment::RELEASE),
        "ZULIP_VERSION = '10.1+git'\n",
    );
    let site = host.site();
    let version = site.version().unwrap();
    assert_eq!(version.file_text(), format!("10.1+git\n{described}-dirty\n"));
}
