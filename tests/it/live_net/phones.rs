//! Programs that others wrote, as they are met in the field: `sipp`, kamailio, baresip.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::stage::{Family, Place, Stage, is_installed};
use super::talk::Carrier;
use super::watcher::{Over, Running, eventually, live};
use crate::program::{root, skip};

/// Calls of one run of `sipp`.
const CALLS: usize = 40;

/// Whether all of `programs` are there; said aloud when one is not.
fn are_installed(programs: &[&str]) -> bool {
    let missing: Vec<_> = programs.iter().filter(|program| !is_installed(program)).collect();
    if !missing.is_empty() {
        skip(&format!("live beside real software: {missing:?} not installed"));
    }
    missing.is_empty()
}

fn sipp(place: &Place, way: (Carrier, Family), directory: &Path) -> Command {
    let mut command = place.command("sipp");
    let (carrier, family) = way;
    command.current_dir(directory).env("TERM", "dumb").arg("-nostdin");
    command.args(["-t", if carrier == Carrier::Tcp { "t1" } else { "u1" }]);
    command.args(["-i", &place.address(family).to_string()]);
    command
}

/// Waits until somebody listens at port 5060 of `place`.
fn until_listens(place: &Place, carrier: Carrier) {
    let kind = if carrier == Carrier::Tcp { "-tln" } else { "-uln" };
    eventually("somebody to listen", || {
        let output = place.command("ss").arg(kind).output().unwrap();
        String::from_utf8_lossy(&output.stdout).contains(":5060").then_some(())
    });
}

/// The last value of a column of the statistics of `sipp`.
fn statistic(csv: &str, column: &str) -> usize {
    let mut lines = csv.lines().map(|line| line.split(';').collect::<Vec<_>>());
    let at = lines.next().unwrap().iter().position(|name| *name == column).unwrap();
    lines.next_back().unwrap()[at].parse().unwrap()
}

/// Calls from `sipp` to `sipp`: what it says of them, and the run that watched.
fn sipp_calls(way: (Carrier, Family)) -> Option<(String, Over)> {
    let stage = Stage::new()?;
    let directory = tempfile::tempdir().unwrap();
    let mut uas = sipp(&stage.far, way, directory.path());
    let answering = Running::start(uas.args(["-sn", "uas", "-p", "5060"]));
    let count = (6 * CALLS).to_string();
    let live = live(&stage.near, &["--list", "--format", "ndjson", "-c", &count]);
    until_listens(&stage.far, way.0);
    let to = stage.far.at(way.1, 5060).to_string();
    let mut uac = sipp(&stage.near, way, directory.path());
    let calls = CALLS.to_string();
    uac.args(["-sn", "uac", "-m", &calls, "-r", "50", "-d", "200", "-p", "5061"]);
    uac.args(["-trace_stat", "-stf", "stat.csv", &to]);
    let calling = Running::start(&mut uac).over();
    assert_eq!(calling.code(), 0, "{}{}", calling.out(), calling.err());
    let over = live.over();
    drop(answering);
    Some((fs::read_to_string(directory.path().join("stat.csv")).unwrap(), over))
}

#[test]
fn calls_of_sipp_are_all_complete_as_it_counts_them() {
    if !are_installed(&["sipp", "ss"]) {
        return;
    }
    for carrier in Carrier::BOTH {
        for family in Family::BOTH {
            let Some((statistics, over)) = sipp_calls((carrier, family)) else { return };
            assert_eq!(over.code(), 0, "{}", over.err());
            let rows = over.rows();
            let whole = rows.iter().filter(|row| row["state"] == "completed").count();
            assert_eq!(
                whole,
                statistic(&statistics, "SuccessfulCall(C)"),
                "{carrier:?} {family:?}"
            );
            assert_eq!(rows.len(), statistic(&statistics, "TotalCallCreated"));
            assert_eq!(statistic(&statistics, "Retransmissions(C)"), 0, "the counts would differ");
        }
    }
}

/// kamailio as registrar and proxy at the far end.
fn registrar(stage: &Stage, (carrier, family): (Carrier, Family), directory: &Path) -> Running {
    let listen = match carrier {
        Carrier::Udp => format!("udp:{}", stage.far.at(family, 5060)),
        Carrier::Tcp => format!("tcp:{}", stage.far.at(family, 5060)),
    };
    let config = root().join("tests/data/live/registrar.cfg");
    let mut command = stage.far.command("kamailio");
    command.args(["-DD", "-E", "-m", "32", "-M", "4", "-l", &listen, "-f"]).arg(config);
    command.arg("-Y").arg(directory).arg("-w").arg(directory);
    command.arg("-P").arg(directory.join("pid"));
    // Its children go with it.
    command.process_group(0);
    let running = Running::start(&mut command);
    until_listens(&stage.far, carrier);
    running
}

/// A phone of `user` at the near end; the settings are where it finds them.
fn phone(
    stage: &Stage,
    (carrier, family): (Carrier, Family),
    (user, port): (&str, u16),
    settings: &TempDir,
) -> Command {
    let transport = if carrier == Carrier::Tcp { "tcp" } else { "udp" };
    let config = format!(
        "sip_listen {}\nnet_interface {}\nprefer_ipv6 {}\nmodule_path /usr/lib/baresip/modules\n\
         module g711.so\nmodule aubridge.so\nmodule_app account.so\nmodule_app contact.so\n\
         module_app menu.so\naudio_source aubridge,nil\naudio_player aubridge,nil\n\
         audio_alert aubridge,nil\n",
        stage.near.at(family, port),
        stage.near.interface,
        if family == Family::V6 { "yes" } else { "no" },
    );
    let account = format!(
        "<sip:{user}@{};transport={transport}>;auth_user={user};auth_pass=secret;regint=60;\
         answermode=auto\n",
        stage.far.at(family, 5060),
    );
    fs::write(settings.path().join("config"), config).unwrap();
    fs::write(settings.path().join("accounts"), account).unwrap();
    fs::write(settings.path().join("contacts"), "").unwrap();
    let mut command = stage.near.command("baresip");
    command.arg("-f").arg(settings.path()).env("HOME", settings.path());
    command
}

/// Two phones register at kamailio and one calls the other: the lines that are shown.
fn phone_call(way: (Carrier, Family)) -> Option<Vec<String>> {
    let stage = Stage::new()?;
    let directories = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [work, bobs, alices] = &directories;
    let registrar = registrar(&stage, way, work.path());
    let live = live(&stage.near, &[]);
    let bob = Running::start(&mut phone(&stage, way, ("bob", 5071), bobs));
    live.until_out("200 OK (REGISTER)");
    let mut alice = phone(&stage, way, ("alice", 5081), alices);
    let dial = format!("/dial sip:bob@{}", stage.far.at(way.1, 5060));
    // It hangs up after these seconds.
    let alice = Running::start(alice.args(["-e", &dial, "-t", "2"]));
    live.until_out_is("the end of the call", |all| {
        all.lines().any(|line| line.contains("(BYE)") && line.contains("[forwarded"))
    });
    drop((alice, bob, registrar));
    Some(live.interrupt().out().lines().map(str::to_owned).collect())
}

/// What happened, `INVITE` or `200 (BYE)`, and its mark; where a busy machine was late, what was
/// said again is marked as such and left out.
fn told(line: &str) -> Option<(String, bool)> {
    if ["[retransmission of ", "[duplicate of "].iter().any(|mark| line.contains(mark)) {
        return None;
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    let start = 1 + words.iter().position(|word| ["udp", "tcp"].contains(word))?;
    let method = words[start..].iter().find(|word| word.starts_with('('));
    let what = method.map_or(words[start].to_owned(), |m| format!("{} {m}", words[start]));
    Some((what, line.contains("[forwarded from ")))
}

#[test]
fn phones_that_register_and_call_through_a_proxy_are_shown_with_their_marks() {
    if !are_installed(&["kamailio", "baresip", "ss"]) {
        return;
    }
    for carrier in Carrier::BOTH {
        for family in Family::BOTH {
            let Some(lines) = phone_call((carrier, family)) else { return };
            let about = |word: &str| -> Vec<(String, bool)> {
                lines
                    .iter()
                    .filter_map(|line| told(line))
                    .filter(|(w, _)| w.contains(word))
                    .collect()
            };
            let own = |what: &str| (what.to_owned(), false);
            let registers = about("REGISTER");
            let challenged = ["REGISTER", "401 (REGISTER)", "REGISTER", "200 (REGISTER)"].map(own);
            assert_eq!(registers[..4], challenged, "{lines:#?}");
            for what in ["INVITE", "180 (INVITE)", "200 (INVITE)", "ACK", "BYE", "200 (BYE)"] {
                let mut marks: Vec<bool> =
                    about(what).iter().filter(|(w, _)| w == what).map(|(_, mark)| *mark).collect();
                marks.sort_unstable();
                assert_eq!(marks, [false, true], "{what} {carrier:?} {family:?}: {lines:#?}");
            }
        }
    }
}
