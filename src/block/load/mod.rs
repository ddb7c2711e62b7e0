//! `motif block load`: asks at a constant rate, whatever becomes of earlier questions, and tells of each answer.
//!
//! The time of an answer counts from when its question was due: a server that stalls shows in every question that
//! would have been asked meanwhile.

mod http;
mod keys;
mod redis;

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use regex_lite::Regex;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::catalogue::{Block, Error, Outcome};
use super::probe::reason;
use super::runtime;
use keys::Keys;

/// The most that is read of an answer.
const LARGEST: usize = 1 << 20;
/// The most of an answer that is told.
const TOLD: usize = 2048;
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(200);

/// Ask at a constant rate and tell of each answer, or look until an answer is as wanted
#[derive(Debug, Parser)]
#[command(name = "load", max_term_width = 100)]
pub struct Load {
    /// What to ask, as JSON
    #[arg(value_name = "PLAN")]
    plan: String,
}

/// What to ask.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// The question.
    pub ask: Ask,
    /// Questions in a second.
    pub rate: f64,
    /// How long, in milliseconds.
    pub time: u64,
    /// Time after which a question is lost, in milliseconds.
    pub timeout: u64,
    /// How many keys take turns; 0 is one for each question.
    pub keys: u32,
    /// The exponent of Zipf's law; 0 is in turn.
    pub skew: f64,
    /// Decides the keys, where chance does.
    pub seed: u64,
    /// What a right answer's body matches.
    pub answer: Option<String>,
    /// Tells by its first group who answered.
    pub by: Option<String>,
    /// Whether every address behind the name is asked each time.
    pub each: bool,
    /// Ask until the answer is so, instead of at a rate.
    pub until: Option<Until>,
}

/// A question.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ask {
    /// An HTTP request.
    Http {
        /// `http://` or `https://`.
        url: String,
        /// The method.
        method: String,
        /// Names and values.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
        /// Whether each request has a connection of its own.
        fresh: bool,
    },
    /// Bytes over a connection of their own.
    Tcp {
        /// `host:port`.
        address: String,
        /// What is sent.
        send: String,
    },
    /// A key is set and read back.
    Redis {
        /// `host:port`.
        address: String,
        /// Where it is looked for then.
        stores: Vec<String>,
    },
}

/// How an answer has to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Until {
    /// How long it may take, in milliseconds.
    pub within: u64,
    /// `200` or `2xx`.
    pub status: Option<String>,
    /// What it matches.
    pub matches: Option<String>,
    /// What it doesn't match.
    pub lacks: Option<String>,
    /// Whether no connection may be had.
    pub refused: bool,
}

/// A line of the output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Line {
    /// The first question is due now.
    Began,
    /// A question and its answer.
    Sample(Sample),
    /// The last look.
    Looked {
        /// Whether the answer was as wanted.
        kept: bool,
        /// The answer, or why there was none.
        text: String,
    },
    /// There are no more questions.
    Ended,
}

/// A question and its answer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Sample {
    /// Which question, from 0.
    pub n: u64,
    /// When it was due, in milliseconds from the start.
    pub at: u64,
    /// From then to the answer, in microseconds.
    pub took: u64,
    /// Its key.
    pub key: String,
    /// The answer's status, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Who answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why there was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
    /// Whether the answer was wrong.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub wrong: bool,
}

/// What came back.
#[derive(Debug, Clone, Default)]
struct Answer {
    status: Option<u16>,
    /// Status line, headers and body.
    whole: String,
    body: String,
    /// Who answered, where the question itself tells.
    by: Option<String>,
    wrong: bool,
}

impl Block for Load {
    const INTERNAL: bool = true;

    fn run(self) -> Result<Outcome, Error> {
        let plan: Plan = serde_json::from_str(&self.plan)
            .map_err(|error| Error::configuration(format!("the plan makes no sense: {error}")))?;
        let asker = Arc::new(Asker::new(plan)?);
        let runtime = runtime::parallel()?;
        let kept = runtime.block_on(async {
            match &asker.plan.until {
                Some(until) => look(&asker, until).await,
                None => ask_all(asker).await.map(|()| true),
            }
        });
        runtime.shutdown_background();
        Ok(if kept? { Outcome::Done } else { Outcome::Failed })
    }
}

/// What asks.
struct Asker {
    plan: Plan,
    keys: Keys,
    answer: Option<Regex>,
    by: Option<Regex>,
    http: http::Client,
    redis: redis::Client,
}

fn regex(text: Option<&String>) -> Result<Option<Regex>, Error> {
    text.map(|text| Regex::new(text))
        .transpose()
        .map_err(|error| Error::configuration(error.to_string()))
}

impl Asker {
    fn new(plan: Plan) -> Result<Self, Error> {
        Ok(Self {
            keys: Keys::new(plan.keys, plan.skew, plan.seed),
            answer: regex(plan.answer.as_ref())?,
            by: regex(plan.by.as_ref())?,
            http: http::Client::new()?,
            redis: redis::Client::new(),
            plan,
        })
    }

    async fn ask(&self, n: u64, key: &str) -> Vec<Result<Answer, String>> {
        let filled = |text: &str| text.replace("{key}", key).replace("{n}", &n.to_string());
        match &self.plan.ask {
            Ask::Http {
                url,
                method,
                headers,
                body,
                fresh,
            } => {
                let question = http::Question {
                    url: filled(url),
                    method: method.clone(),
                    headers: headers
                        .iter()
                        .map(|(name, value)| (name.clone(), filled(value)))
                        .collect(),
                    body: filled(body),
                    fresh: *fresh,
                };
                self.http.ask(&question, self.plan.each).await
            }
            Ask::Tcp { address, send } => vec![exchange(address, &filled(send)).await],
            Ask::Redis { address, stores } => vec![self.redis.ask(address, stores, key, n).await],
        }
    }
}

/// Sends, says that nothing more comes, and reads what comes back.
async fn exchange(address: &str, send: &str) -> Result<Answer, String> {
    let mut stream = TcpStream::connect(address)
        .await
        .map_err(|error| reason(&error))?;
    let mut body = Vec::new();
    if !send.is_empty() {
        stream
            .write_all(send.as_bytes())
            .await
            .map_err(|error| reason(&error))?;
        let read = stream.take(LARGEST as u64).read_buf(&mut body).await;
        read.map_err(|error| reason(&error))?;
        if body.is_empty() {
            return Err("closed without an answer".to_owned());
        }
    }
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok(Answer {
        whole: body.clone(),
        body,
        ..Answer::default()
    })
}

async fn ask_all(asker: Arc<Asker>) -> anyhow::Result<()> {
    let (sender, mut lines) = mpsc::unbounded_channel();
    let writer = tokio::task::spawn_blocking(move || -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        while let Some(line) = lines.blocking_recv() {
            say(&mut out, &line)?;
            while let Ok(line) = lines.try_recv() {
                say(&mut out, &line)?;
            }
            out.flush()?;
        }
        Ok(())
    });
    sender.send(Line::Began)?;
    let began = Instant::now();
    let pause = Duration::from_secs_f64(1.0 / asker.plan.rate);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "at most a million"
    )]
    let count = (asker.plan.rate * asker.plan.time as f64 / 1000.0).round() as u64;
    let mut open = tokio::task::JoinSet::new();
    for n in 0..count {
        let due = began + pause.mul_f64(whole(n));
        sleep_until(due).await;
        let (asker, sender) = (Arc::clone(&asker), sender.clone());
        open.spawn(async move {
            for sample in asker.sample(n, began, due).await {
                // Without a listener there is nobody to tell.
                let _ = sender.send(Line::Sample(sample));
            }
        });
        while open.try_join_next().is_some() {}
    }
    while open.join_next().await.is_some() {}
    sender.send(Line::Ended)?;
    drop(sender);
    writer.await?
}

#[expect(clippy::cast_precision_loss, reason = "at most a million")]
fn whole(number: u64) -> f64 {
    number as f64
}

fn say(out: &mut impl Write, line: &Line) -> anyhow::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n").context("failed to write to stdout")
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Asker {
    async fn sample(&self, n: u64, began: Instant, due: Instant) -> Vec<Sample> {
        let key = self.keys.key(n);
        let limit = Duration::from_millis(self.plan.timeout);
        let answers = match timeout(limit, self.ask(n, &key)).await {
            Ok(answers) => answers,
            Err(_) => vec![Err(format!("no answer within {} ms", self.plan.timeout))],
        };
        let took = u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX);
        let sample = Sample {
            n,
            at: millis(due - began),
            took,
            key,
            ..Sample::default()
        };
        let judged = answers
            .into_iter()
            .map(|answer| self.judge(sample.clone(), answer));
        judged.collect()
    }

    fn judge(&self, sample: Sample, answer: Result<Answer, String>) -> Sample {
        let answer = match answer {
            Ok(answer) => answer,
            Err(reason) => {
                return Sample {
                    lost: Some(reason),
                    ..sample
                };
            }
        };
        let told = self.by.as_ref().and_then(|by| by.captures(&answer.whole));
        let told = told.and_then(|found| Some(found.get(1)?.as_str().to_owned()));
        let is_failure = answer.status.is_some_and(|status| status >= 500);
        let matches = self
            .answer
            .as_ref()
            .is_none_or(|regex| regex.is_match(&answer.body));
        Sample {
            status: answer.status,
            by: told.or(answer.by),
            lost: answer
                .status
                .filter(|_| is_failure)
                .map(|status| format!("status {status}")),
            wrong: !is_failure && (answer.wrong || !matches),
            ..sample
        }
    }
}

/// Asks until the answer is as wanted, or the time is over.
async fn look(asker: &Asker, until: &Until) -> anyhow::Result<bool> {
    let wanted = Wanted {
        until,
        matches: regex(until.matches.as_ref())?,
        lacks: regex(until.lacks.as_ref())?,
    };
    let deadline = Instant::now() + Duration::from_millis(until.within);
    let limit = Duration::from_millis(asker.plan.timeout);
    let mut n = 0;
    let (kept, text) = loop {
        let answer = match timeout(limit, asker.ask(n, "key")).await {
            Ok(answers) => answers
                .into_iter()
                .next()
                .unwrap_or_else(|| Err("no address".to_owned())),
            Err(_) => Err(format!("no answer within {} ms", asker.plan.timeout)),
        };
        let kept = wanted.is_met(&answer);
        if kept || Instant::now() >= deadline {
            let text = match answer {
                Ok(answer) => answer.whole,
                Err(reason) => reason,
            };
            break (kept, text.chars().take(TOLD).collect());
        }
        n += 1;
        tokio::time::sleep(LOOK).await;
    };
    let mut out = std::io::stdout().lock();
    say(&mut out, &Line::Looked { kept, text })?;
    out.flush()?;
    Ok(kept)
}

struct Wanted<'a> {
    until: &'a Until,
    matches: Option<Regex>,
    lacks: Option<Regex>,
}

impl Wanted<'_> {
    fn is_met(&self, answer: &Result<Answer, String>) -> bool {
        let Ok(answer) = answer else {
            return self.until.refused;
        };
        let has_status = self
            .until
            .status
            .as_ref()
            .is_none_or(|wanted| answer.status.is_some_and(|status| is_status(wanted, status)));
        !self.until.refused
            && has_status
            && self
                .matches
                .as_ref()
                .is_none_or(|regex| regex.is_match(&answer.whole))
            && self
                .lacks
                .as_ref()
                .is_none_or(|regex| !regex.is_match(&answer.whole))
    }
}

/// Whether a status is `200`, or of the class `2xx`.
pub fn is_status(wanted: &str, status: u16) -> bool {
    match wanted.strip_suffix("xx") {
        Some(class) => class == (status / 100).to_string(),
        None => wanted == status.to_string(),
    }
}
