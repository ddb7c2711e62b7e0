//! `motif ps`.

use clap::Args;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::engine::{failed, nothing_stands, runtime};
use super::selection::SelectionArgs;
use crate::engine::observed::{Port, Status};
use crate::engine::overview::{Member, Overview, overview};
use crate::engine::supervisor::Supervisor;
use crate::terminal::{Exit, Failure, Format, Printer, table};

/// Show the stack's pods: what is ready, what restarts, what is published
///
/// One row for each replica, then one for each service that has a proxy.
#[derive(Debug, Args)]
pub struct PsArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    /// Show replicas that ended well too
    #[arg(short, long)]
    all: bool,
    /// Print for people, or as one JSON document with every container
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Format,
}

/// Shows the stack's pods.
pub fn run(args: &PsArgs, host: Option<&str>, printer: Printer) -> Result<Exit, Failure> {
    let (members, name, address) = runtime()?.block_on(async {
        let (docker, name) = args.selection.open(host).await?;
        let members = docker.list(&name).await.map_err(failed)?;
        Ok::<_, Failure>((members, name, docker.address().to_owned()))
    })?;
    let mut replicas = overview(members);
    let is_empty = replicas.is_empty();
    let has_open_runs = replicas
        .iter()
        .any(|replica| replica.is_job && !replica.is_completed());
    replicas.retain(|replica| args.all || !replica.is_completed());
    match args.format {
        Format::Json => {
            let document = Value::Array(replicas.iter().map(document).collect());
            printer.data(format!("{document:#}\n"))?;
        }
        Format::Table => {
            let now = OffsetDateTime::now_utc();
            let rows: Vec<Vec<String>> = replicas.iter().map(|replica| row(replica, now)).collect();
            printer.page(table(
                &["POD", "READY", "STATUS", "RESTARTS", "AGE", "PORTS", "IMAGE"],
                &rows,
            ))?;
            for replica in replicas.iter().filter(|replica| replica.has_lost_its_network()) {
                printer.status(format!(
                    "{} has lost its network: `motif up --detach` repairs it",
                    replica.name()
                ));
            }
            for replica in &replicas {
                if let Some((member, restart)) = replica.last_restart() {
                    printer.status(format!(
                        "{} was started again {} ago: {}",
                        member.labels.display_name(),
                        age(now - restart.at),
                        restart.reason
                    ));
                }
            }
            match Supervisor::new(&address, &name).ok() {
                Some(supervisor) if let Some(process) = supervisor.process() => printer.status(format!(
                    "process {process} keeps the jobs, and writes to {}",
                    supervisor.log().display()
                )),
                _ if has_open_runs => {
                    printer.status("nobody keeps the jobs now: `motif up --detach` goes on with them");
                }
                _ => {}
            }
            if is_empty {
                printer.status(nothing_stands(&name));
            } else if replicas.is_empty() {
                printer.status("everything ended well; `--all` shows it");
            }
        }
    }
    Ok(Exit::Done)
}

fn row(replica: &Overview, now: OffsetDateTime) -> Vec<String> {
    let (ready, all) = replica.ready();
    vec![
        replica.name(),
        format!("{ready}/{all}"),
        replica.state(),
        replica.restarts().to_string(),
        replica
            .created()
            .map(|created| age(now - created))
            .unwrap_or_default(),
        replica.ports.iter().map(published).collect::<Vec<_>>().join(", "),
        replica.images().join(", "),
    ]
}

fn published(port: &Port) -> String {
    let protocol = if port.udp { "udp" } else { "tcp" };
    let address = if port.address.contains(':') {
        format!("[{}]", port.address)
    } else {
        port.address.clone()
    };
    format!("{address}:{}->{}/{protocol}", port.host, port.container)
}

/// A duration as precise as it matters, as kubectl prints it.
pub fn age(age: Duration) -> String {
    let seconds = age.whole_seconds().max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    let pair = |whole: i64, unit: char, rest: i64, small: char| match rest {
        0 => format!("{whole}{unit}"),
        rest => format!("{whole}{unit}{rest}{small}"),
    };
    match seconds {
        0..120 => format!("{seconds}s"),
        120..600 => pair(minutes, 'm', seconds % 60, 's'),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => pair(hours, 'h', minutes % 60, 'm'),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => pair(days, 'd', hours % 24, 'h'),
        _ => format!("{days}d"),
    }
}

fn document(replica: &Overview) -> Value {
    let (ready, all) = replica.ready();
    json!({
        "name": replica.name(),
        "kind": match (replica.is_service, replica.is_job) {
            (true, _) => "service",
            (_, true) => "job",
            _ => "pod",
        },
        "pod": replica.pod,
        "replica": replica.replica,
        "ready": ready,
        "containers": all,
        "status": replica.state(),
        "restarts": replica.restarts(),
        "created": replica.created().and_then(|created| created.format(&Rfc3339).ok()),
        "ports": replica.ports.iter().map(|port| json!({
            "address": port.address,
            "host": port.host,
            "container": port.container,
            "protocol": if port.udp { "udp" } else { "tcp" },
        })).collect::<Vec<_>>(),
        "members": replica.members.iter().map(member).collect::<Vec<_>>(),
    })
}

fn member(member: &Member) -> Value {
    json!({
        "name": member.labels.container,
        "role": member.labels.role.as_str(),
        "status": member.state(),
        "probes": member.health.as_str(),
        "exitCode": match member.status {
            Status::Exited(code) => Some(code),
            _ => None,
        },
        "restarts": member.restarts,
        "lastRestart": member.last_restart.as_ref().map(|restart| json!({
            "reason": restart.reason,
            "at": restart.at.format(&Rfc3339).ok(),
            "inARow": restart.in_a_row,
        })),
        "image": member.image,
        "container": member.name,
        "id": member.id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_as_precise_as_it_matters() {
        for (seconds, expect) in [
            (-1, "0s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (600, "10m"),
            (10_800, "3h"),
            (11_100, "3h5m"),
            (36_000, "10h"),
            (176_400, "2d1h"),
            (1_000_000, "11d"),
        ] {
            assert_eq!(age(Duration::seconds(seconds)), expect);
        }
    }
}
