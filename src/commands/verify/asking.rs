//! Asks: through a helper in the stack's network, or by running a command in a container.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::trial::{LOOK, Scene, millis};
use crate::block::load::{Ask as Question, Line, Plan, Sample, Until};
use crate::engine::docker::trial::Helper;
use crate::engine::docker::{Docker, Error};
use crate::stack::Name;
use crate::stack::promise::{Ask, FileLook, Load, Look};
use crate::verify::{Figure, questions};

/// How long a helper may take to begin, and to end after its last question.
const SLACK: Duration = Duration::from_mins(1);
/// How long one look of several may take.
const LONGEST_LOOK: Duration = Duration::from_secs(5);

/// A load under way.
pub enum Asking {
    /// A helper asks.
    Helper(Helper, Duration),
    /// A command is run again and again.
    Command(mpsc::UnboundedReceiver<Sample>),
}

/// Begins to ask.
pub async fn begin(scene: &Scene<'_>, load: &Load) -> Result<Asking, Error> {
    if let Ask::Command { target, command } = &load.ask {
        let containers = scene.containers(target).await?;
        let ids = containers.into_iter().map(|(id, _)| id).collect();
        return Ok(Asking::Command(run_again_and_again(
            scene.trial.docker.clone(),
            ids,
            command.clone(),
            load.clone(),
        )));
    }
    let plan = Plan {
        ask: question(&load.ask),
        rate: load.rate,
        time: millis(load.time),
        timeout: millis(load.timeout),
        keys: load.keys,
        skew: load.skew,
        seed: scene.trial.seed(),
        answer: load.answer.as_ref().map(ToString::to_string),
        by: load.by.as_ref().map(ToString::to_string),
        each: load.each,
        until: None,
    };
    let mut helper = start(scene, load.from.as_ref().map(Name::as_str), &plan).await?;
    let began = async {
        while let Some(line) = helper.lines.recv().await {
            if matches!(serde_json::from_str(&line), Ok(Line::Began)) {
                return;
            }
        }
    };
    // One that never begins has no samples, which says enough.
    let _ = timeout(SLACK, began).await;
    Ok(Asking::Helper(helper, load.time + load.timeout + SLACK))
}

async fn start(scene: &Scene<'_>, from: Option<&str>, plan: &Plan) -> Result<Helper, Error> {
    let owner = from
        .and_then(|pod| scene.owner(pod, 0))
        .map(|owner| owner.name.as_str());
    let plan = serde_json::to_string(plan).unwrap_or_default();
    let command = vec!["load".to_owned(), plan];
    scene
        .trial
        .docker
        .helper(&scene.name, &scene.block_image, owner, command)
        .await
}

fn question(ask: &Ask) -> Question {
    match ask {
        Ask::Http(ask) => Question::Http {
            url: ask.url.clone(),
            method: ask.method.clone(),
            headers: ask.headers.clone(),
            body: ask.body.clone(),
            fresh: ask.fresh,
        },
        Ask::Tcp { address, send } => Question::Tcp {
            address: address.clone(),
            send: send.clone(),
        },
        Ask::Redis { address, stores } => Question::Redis {
            address: address.clone(),
            stores: stores.clone(),
        },
        // Run in its container, and never asked by a helper.
        Ask::Command { .. } => Question::Tcp {
            address: String::new(),
            send: String::new(),
        },
    }
}

impl Asking {
    /// The samples, when the load is over.
    pub async fn samples(self, scene: &Scene<'_>) -> Result<Vec<Sample>, Error> {
        let mut samples = Vec::new();
        match self {
            Self::Helper(mut helper, patience) => {
                let read = async {
                    while let Some(line) = helper.lines.recv().await {
                        match serde_json::from_str(&line) {
                            Ok(Line::Sample(sample)) => samples.push(sample),
                            Ok(Line::Ended) => return true,
                            Ok(_) => {}
                            Err(_) => scene.note(format!("the load says: {line}")),
                        }
                    }
                    false
                };
                let is_whole = timeout(patience, read).await.unwrap_or(false);
                scene.trial.docker.remove_helper(&helper.id).await;
                // In a pod's network it may go with the pod; beside the pods nobody takes it away but from outside.
                let is_alone = scene
                    .promise
                    .load
                    .as_ref()
                    .is_some_and(|load| load.from.is_none());
                if !is_whole && is_alone {
                    return Err(Error::Vanished {
                        what: "the container that asks".to_owned(),
                    });
                }
            }
            Self::Command(mut received) => {
                while let Some(sample) = received.recv().await {
                    samples.push(sample);
                }
            }
        }
        Ok(samples)
    }
}

/// Runs a command at a constant rate, whatever becomes of earlier runs.
fn run_again_and_again(
    docker: Docker,
    ids: Vec<String>,
    command: Vec<String>,
    load: Load,
) -> mpsc::UnboundedReceiver<Sample> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let began = Instant::now();
    tokio::spawn(async move {
        let mut runs = JoinSet::new();
        for n in 0..questions(&load) {
            let due = began + Duration::from_secs_f64(1.0 / load.rate).mul_f64(position(n));
            sleep_until(due).await;
            let key = match load.keys {
                0 => format!("key-{n}"),
                keys => format!("key-{}", n % u64::from(keys)),
            };
            for id in ids.clone() {
                let (docker, sender, load) = (docker.clone(), sender.clone(), load.clone());
                let key = key.clone();
                let words: Vec<String> = command
                    .iter()
                    .map(|word| word.replace("{key}", &key).replace("{n}", &n.to_string()))
                    .collect();
                runs.spawn(async move {
                    let run = docker.run(&id, &words, load.timeout).await;
                    let took = u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX);
                    let sample = Sample {
                        n,
                        at: millis(due - began),
                        took,
                        key,
                        ..Sample::default()
                    };
                    // Without a listener there is nobody to tell.
                    let _ = sender.send(judged(sample, &load, run));
                });
            }
        }
        while runs.join_next().await.is_some() {}
    });
    receiver
}

#[expect(clippy::cast_precision_loss, reason = "at most a million")]
fn position(n: u64) -> f64 {
    n as f64
}

fn judged(sample: Sample, load: &Load, run: Result<(i64, String), Error>) -> Sample {
    match run {
        Ok((0, text)) => Sample {
            by: load.by.as_ref().and_then(|by| {
                let found = by.0.captures(&text)?;
                Some(found.get(1)?.as_str().to_owned())
            }),
            wrong: load
                .answer
                .as_ref()
                .is_some_and(|answer| !answer.0.is_match(&text)),
            ..sample
        },
        Ok((code, text)) => Sample {
            lost: Some(match text.lines().last() {
                Some(line) => format!("exit code {code}: {line}"),
                None => format!("exit code {code}"),
            }),
            ..sample
        },
        Err(error) => Sample {
            lost: Some(error.with_causes()),
            ..sample
        },
    }
}

/// Looks until an answer is as it has to be, or the time is over.
pub async fn look(scene: &Scene<'_>, look: &Look) -> Result<Figure, Error> {
    let (kept, text) = match &look.ask {
        Ask::Command { target, command } => command_look(scene, look, target, command).await?,
        ask => {
            let plan = Plan {
                ask: question(ask),
                rate: 1.0,
                time: 0,
                timeout: millis(LONGEST_LOOK.min(look.within.max(Duration::from_secs(1)))),
                keys: 0,
                skew: 0.0,
                seed: 0,
                answer: None,
                by: None,
                each: false,
                until: Some(Until {
                    within: millis(look.within),
                    status: look.status.clone(),
                    matches: look.matches.as_ref().map(ToString::to_string),
                    lacks: look.lacks.as_ref().map(ToString::to_string),
                    refused: look.refused,
                }),
            };
            helper_look(scene, look, &plan).await?
        }
    };
    let asked = match &look.ask {
        Ask::Http(ask) => ask.url.clone(),
        Ask::Tcp { address, .. } | Ask::Redis { address, .. } => address.clone(),
        Ask::Command { command, .. } => command.join(" "),
    };
    let seen = format!(
        "{asked} {}",
        if kept { "is as wanted" } else { "is not as wanted" }
    );
    scene.note(seen.as_str());
    let mut figure = Figure::new(seen, kept);
    if !kept {
        let first: Vec<&str> = text.lines().take(30).collect();
        figure = figure.wanted(wish(look));
        figure.details = first.into_iter().map(str::to_owned).collect();
    }
    Ok(figure)
}

fn wish(look: &Look) -> String {
    let mut parts = Vec::new();
    parts.extend(look.status.as_ref().map(|status| format!("status {status}")));
    parts.extend(
        look.matches
            .as_ref()
            .map(|matches| format!("what matches `{matches}`")),
    );
    parts.extend(
        look.lacks
            .as_ref()
            .map(|lacks| format!("nothing that matches `{lacks}`")),
    );
    if look.refused {
        parts.push("no connection".to_owned());
    }
    if parts.is_empty() {
        parts.push("an answer".to_owned());
    }
    parts.join(" and ")
}

async fn helper_look(scene: &Scene<'_>, look: &Look, plan: &Plan) -> Result<(bool, String), Error> {
    let mut helper = start(scene, look.from.as_ref().map(Name::as_str), plan).await?;
    let mut found = None;
    let mut said = Vec::new();
    let read = async {
        while let Some(line) = helper.lines.recv().await {
            match serde_json::from_str(&line) {
                Ok(Line::Looked { kept, text }) => {
                    found = Some((kept, text));
                    return;
                }
                _ => said.push(line),
            }
        }
    };
    let _ = timeout(look.within + SLACK, read).await;
    scene.trial.docker.remove_helper(&helper.id).await;
    Ok(found.unwrap_or_else(|| (false, format!("nothing was seen: {}", said.join("\n")))))
}

async fn command_look(
    scene: &Scene<'_>,
    look: &Look,
    target: &crate::stack::promise::Target,
    command: &[String],
) -> Result<(bool, String), Error> {
    let deadline = Instant::now() + look.within;
    loop {
        let mut last = (false, "there is no such container".to_owned());
        for (id, _) in scene.containers(target).await? {
            last = match scene.trial.docker.run(&id, command, LONGEST_LOOK).await {
                Ok((code, text)) => {
                    let kept = code == 0
                        && look.matches.as_ref().is_none_or(|regex| regex.0.is_match(&text))
                        && look.lacks.as_ref().is_none_or(|regex| !regex.0.is_match(&text));
                    (kept, format!("exit code {code}: {text}"))
                }
                Err(error) => (false, error.with_causes()),
            };
        }
        if last.0 || Instant::now() >= deadline {
            return Ok(last);
        }
        sleep(LOOK).await;
    }
}

/// Looks until a file is as it has to be, or the time is over.
pub async fn file(scene: &Scene<'_>, look: &FileLook) -> Result<Figure, Error> {
    let deadline = Instant::now() + look.within;
    let (kept, text) = loop {
        let mut is_met = true;
        let mut last = String::new();
        let containers = scene.containers(&look.target).await?;
        if containers.is_empty() {
            is_met = false;
            "there is no such container".clone_into(&mut last);
        }
        for (id, _) in containers {
            let content = scene.trial.docker.read_file(&id, &look.path).await?;
            let text = content.map(|content| String::from_utf8_lossy(&content).into_owned());
            is_met &= match (&text, &look.matches) {
                (None, _) => look.missing,
                (Some(text), Some(matches)) => !look.missing && matches.0.is_match(text),
                (Some(_), None) => !look.missing,
            };
            last = text.unwrap_or_else(|| "it is not there".to_owned());
        }
        if is_met || Instant::now() >= deadline {
            break (is_met, last);
        }
        sleep(LOOK).await;
    };
    let seen = format!(
        "{} {}",
        look.path,
        if kept { "is as wanted" } else { "is not as wanted" }
    );
    scene.note(seen.as_str());
    let mut figure = Figure::new(seen, kept);
    if !kept {
        figure.details = text.lines().take(10).map(str::to_owned).collect();
        if let Some(matches) = &look.matches {
            figure = figure.wanted(format!("what matches `{matches}`"));
        }
    }
    Ok(figure)
}
