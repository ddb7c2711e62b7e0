//! `pause` as a process.

use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use super::running::wait_until;
use crate::motif::binary;

#[test]
fn it_reaps_what_it_inherits_and_ends_on_sigterm() {
    // The shell's child stays when the shell becomes `pause`.
    let script = format!("sleep 0.2 & exec {} block pause", binary().display());
    let mut child = Command::new("sh").args(["-c", &script]).spawn().unwrap();
    let process = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    wait_until("the orphan ends and is reaped", || {
        let name = std::fs::read_to_string(format!("/proc/{}/comm", child.id())).unwrap();
        name.trim() == "motif" && std::fs::read_to_string(&children).unwrap().trim().is_empty()
    });
    assert_eq!(child.try_wait().unwrap(), None, "it waits");
    kill_process(process, Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
