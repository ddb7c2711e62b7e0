//! Measures what containers use and serve, while somebody looks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bollard::models::{ContainerCpuStats, ContainerMemoryStats};
use bollard::query_parameters::StatsOptionsBuilder;
use futures_util::StreamExt;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::Docker;
use crate::engine::desired::BINARY;
use crate::engine::observed::Status;
use crate::engine::overview::Member;
use crate::engine::usage::{Served, Traffic, Usage};

/// Time between two looks at a block's metrics.
const EVERY: Duration = Duration::from_secs(1);
/// The last line of a look.
const END: &str = "# EOF\n";

/// What was measured last, by the container's name.
#[derive(Debug, Default)]
struct Measured {
    usage: BTreeMap<String, Usage>,
    /// Nothing where a block has never had a request: a proxy of connections counts none.
    traffic: BTreeMap<String, Option<Traffic>>,
}

/// Measures containers until it is dropped.
pub struct Meter<'a> {
    docker: &'a Docker,
    measured: Arc<Mutex<Measured>>,
    /// By the container's id.
    tasks: BTreeMap<String, (String, JoinHandle<()>)>,
}

impl Drop for Meter<'_> {
    fn drop(&mut self) {
        for (_, task) in self.tasks.values() {
            task.abort();
        }
    }
}

impl<'a> Meter<'a> {
    /// Measures nothing yet.
    pub fn new(docker: &'a Docker) -> Self {
        Self {
            docker,
            measured: Arc::default(),
            tasks: BTreeMap::new(),
        }
    }

    /// Measures those of these containers that run, and no others.
    pub fn follow(&mut self, members: &[Member]) {
        let runs = |member: &&Member| member.status == Status::Running;
        let running: BTreeMap<&str, &Member> = members
            .iter()
            .filter(runs)
            .map(|member| (member.id.as_str(), member))
            .collect();
        self.tasks.retain(|id, (name, task)| {
            // One that ended was started again, or its connection broke.
            let stays = running.contains_key(id.as_str()) && !task.is_finished();
            if !stays {
                task.abort();
                let mut measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
                measured.usage.remove(name);
                measured.traffic.remove(name);
            }
            stays
        });
        for (id, member) in running {
            if self.tasks.contains_key(id) {
                continue;
            }
            let (docker, member, measured) =
                (self.docker.clone(), member.clone(), Arc::clone(&self.measured));
            let name = member.name.clone();
            let task = tokio::spawn(async move {
                let uses = docker.watch_usage(&member, &measured);
                let serves = docker.watch_traffic(&member, &measured);
                tokio::join!(uses, serves);
            });
            self.tasks.insert(id.to_owned(), (name, task));
        }
    }

    /// What containers use, by name.
    pub fn usage(&self) -> BTreeMap<String, Usage> {
        let measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        measured.usage.clone()
    }

    /// What containers serve, by name.
    pub fn traffic(&self) -> BTreeMap<String, Traffic> {
        let measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        let known = |(name, traffic): (&String, &Option<Traffic>)| Some((name.clone(), (*traffic)?));
        measured.traffic.iter().filter_map(known).collect()
    }

    /// Whether everything was measured that these containers have.
    pub fn knows(&self, members: &[Member]) -> bool {
        let measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        members
            .iter()
            .filter(|member| member.status == Status::Running)
            .all(|member| {
                measured.usage.contains_key(&member.name)
                    && (member.metrics.is_none() || measured.traffic.contains_key(&member.name))
            })
    }
}

impl Docker {
    async fn watch_usage(&self, member: &Member, measured: &Mutex<Measured>) {
        let options = StatsOptionsBuilder::default().stream(true).build();
        let mut samples = std::pin::pin!(self.client.stats(&member.id, Some(options)));
        let mut before: Option<ContainerCpuStats> = None;
        while let Some(Ok(sample)) = samples.next().await {
            let (Some(processor), Some(memory)) = (sample.cpu_stats, sample.memory_stats) else {
                continue;
            };
            if let Some(cores) = before.as_ref().and_then(|before| cores(before, &processor)) {
                let usage = Usage {
                    cores,
                    memory: used(&memory),
                };
                let mut measured = measured.lock().unwrap_or_else(PoisonError::into_inner);
                measured.usage.insert(member.name.clone(), usage);
            }
            before = Some(processor);
        }
    }

    /// Reads a block's metrics from inside its container: nothing else has to be reachable.
    async fn watch_traffic(&self, member: &Member, measured: &Mutex<Measured>) {
        let Some(admin) = member.metrics else {
            return;
        };
        let every = format!("{}ms", EVERY.as_millis());
        let command = [BINARY, "block", "scrape", &admin.to_string(), &every].map(str::to_owned);
        let options = CreateExecOptions {
            // Its end tells the program that nobody listens any more.
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            cmd: Some(command.to_vec()),
            ..CreateExecOptions::default()
        };
        let Ok(exec) = self.client.create_exec(&member.id, options).await else {
            return;
        };
        let started = self.client.start_exec(&exec.id, None::<StartExecOptions>).await;
        let Ok(StartExecResults::Attached { mut output, input }) = started else {
            return;
        };
        let mut text = String::new();
        let mut before: Option<(Instant, Served)> = None;
        while let Some(Ok(part)) = output.next().await {
            text.push_str(&String::from_utf8_lossy(part.as_ref()));
            while let Some(end) = text.find(END) {
                let now = Instant::now();
                let served = Served::read(&text[..end]);
                text.drain(..end + END.len());
                if let Some((then, earlier)) = &before {
                    let traffic = (served.requests > 0.0).then(|| served.since(earlier, now - *then));
                    let mut measured = measured.lock().unwrap_or_else(PoisonError::into_inner);
                    measured.traffic.insert(member.name.clone(), traffic);
                }
                before = Some((now, served));
            }
        }
        drop(input);
    }
}

/// The cores that were busy between two samples.
fn cores(before: &ContainerCpuStats, now: &ContainerCpuStats) -> Option<f64> {
    let busy = |stats: &ContainerCpuStats| stats.cpu_usage.as_ref()?.total_usage;
    let busy = busy(now)?.checked_sub(busy(before)?)?;
    let passed = now.system_cpu_usage?.checked_sub(before.system_cpu_usage?)?;
    if passed == 0 {
        return None;
    }
    // Both in nanoseconds, of all processors together.
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 52 bits")]
    let share = busy as f64 / passed as f64;
    Some(share * f64::from(now.online_cpus.unwrap_or(1).max(1)))
}

/// The memory that can't be taken back at once: `docker stats` leaves the same out.
fn used(memory: &ContainerMemoryStats) -> u64 {
    let cached = |name: &str| memory.stats.as_ref()?.get(name).copied();
    let cached = cached("total_inactive_file").or_else(|| cached("inactive_file"));
    memory
        .usage
        .unwrap_or_default()
        .saturating_sub(cached.unwrap_or_default())
}
