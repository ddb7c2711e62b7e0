//! Promises: what a stack guarantees, in a form that `verify` can try.

use std::fmt;
use std::time::Duration;

use regex_lite::Regex;

use super::{Name, Place};

/// A guarantee with its load, its faults and what is expected of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Promise {
    /// Its name.
    pub name: Name,
    /// Where it is written.
    pub place: Place,
    /// The guarantee, in a sentence.
    pub says: String,
    /// What is asked of the stack meanwhile.
    pub load: Option<Load>,
    /// What goes wrong meanwhile, in the order of time.
    pub faults: Vec<Fault>,
    /// What has to be seen.
    pub expect: Expect,
    /// Whether it says how its mechanism is taken out.
    pub has_control: bool,
}

/// Questions at a constant rate, whatever becomes of earlier ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Load {
    /// Where it is written.
    pub place: Place,
    /// What is asked.
    pub ask: Ask,
    /// Whose network the questions come from: a pod's first replica; `None` is a container beside the pods.
    pub from: Option<Name>,
    /// Questions in a second.
    pub rate: f64,
    /// How long.
    pub time: Duration,
    /// Time after which a question counts as lost.
    pub timeout: Duration,
    /// How many different keys take turns as `{key}`; 0 is one for each question.
    pub keys: u32,
    /// How unevenly keys are chosen: 0 in turn, else the exponent of Zipf's law.
    pub skew: f64,
    /// What a right answer matches.
    pub answer: Option<Pattern>,
    /// Tells by its first group who answered.
    pub by: Option<Pattern>,
    /// Whether every address behind the name is asked each time.
    pub each: bool,
}

/// One kind of question.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// An HTTP request; `{key}` and `{n}` in it are replaced.
    Http(HttpAsk),
    /// Bytes over a connection of their own, and what comes back.
    Tcp {
        /// `host:port`.
        address: String,
        /// What is sent.
        send: String,
    },
    /// A key is set to a new value and read back, in Redis' protocol.
    Redis {
        /// `host:port`.
        address: String,
        /// Servers of which the one that holds the value then is who answered.
        stores: Vec<String>,
    },
    /// A command in a container; its exit code 0 is an answer, its output the text.
    Command {
        /// The container.
        target: Target,
        /// The words.
        command: Vec<String>,
    },
}

/// An HTTP request.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpAsk {
    /// `http://` or `https://`.
    pub url: String,
    /// The method.
    pub method: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
    /// Whether each request has a connection of its own.
    pub fresh: bool,
}

/// A regular expression, checked.
#[derive(Debug, Clone)]
pub struct Pattern(pub Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.as_str())
    }
}

/// Some containers of the stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The pod.
    pub pod: Name,
    /// Which of its replicas.
    pub which: Which,
    /// One container of it; `None` is every container but the one that only holds the network.
    pub container: Option<Name>,
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.pod, self.which)?;
        match &self.container {
            Some(container) => write!(formatter, "/{container}"),
            None => Ok(()),
        }
    }
}

/// Which replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// The one with this index.
    Index(u32),
    /// One by chance.
    Any,
    /// All.
    All,
    /// Those that answer as the role says.
    Role(Role),
}

impl fmt::Display for Which {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(formatter, "{index}"),
            Self::Any => formatter.write_str("any"),
            Self::All => formatter.write_str("all"),
            Self::Role(role) => formatter.write_str(role.name.as_str()),
        }
    }
}

/// A part that replicas play in turn, such as leader: who answers a question so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub name: Name,
    /// The port that is asked.
    pub port: u16,
    /// The path that answers 200 to 299 where the replica has the role.
    pub path: String,
}

/// Something that goes wrong, and after its time is well again.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// Where it is written.
    pub place: Place,
    /// When, from the start of the load.
    pub at: Duration,
    /// How long.
    pub lasts: Duration,
    /// What.
    pub kind: FaultKind,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum FaultKind {
    /// SIGKILL; started again afterwards.
    Kill(Target),
    /// SIGTERM and its grace; started again afterwards.
    Stop(Target),
    /// Held still: no process runs, connections stay.
    Pause(Target),
    /// SIGSTOP to its first process.
    Hang(Target),
    /// Stopped and started.
    Restart(Target),
    /// Taken off the stack's network.
    Cut(Target),
    /// Held still for a time, again and again.
    Slow(Target, Duration),
    /// A volume of a replica is filled.
    Fill(Target, Name),
    /// A generated secret gets another value.
    Rotate(Name),
    /// Another number of replicas.
    Scale(Name, u32),
    /// Other values of the stack's parameters, as `name=value`.
    Set(Vec<String>),
    /// Another stack: what is written there is merged into this one.
    Change,
    /// A command runs in containers.
    Exec(Target, Vec<String>),
}

impl fmt::Display for FaultKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(target) => write!(formatter, "kill {target}"),
            Self::Stop(target) => write!(formatter, "stop {target}"),
            Self::Pause(target) => write!(formatter, "pause {target}"),
            Self::Hang(target) => write!(formatter, "hang {target}"),
            Self::Restart(target) => write!(formatter, "restart {target}"),
            Self::Cut(target) => write!(formatter, "cut {target}"),
            Self::Slow(target, by) => write!(formatter, "slow {target} by {} ms", by.as_millis()),
            Self::Fill(target, volume) => write!(formatter, "fill volume {volume} of {target}"),
            Self::Rotate(secret) => write!(formatter, "rotate {secret}"),
            Self::Scale(pod, count) => write!(formatter, "scale {pod} to {count}"),
            Self::Set(values) => write!(formatter, "set {}", values.join(", ")),
            Self::Change => formatter.write_str("change the stack"),
            Self::Exec(target, command) => write!(formatter, "run {} in {target}", command.join(" ")),
        }
    }
}

/// What has to be seen.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expect {
    /// Most questions without an answer in time, or answered with a failure of the server.
    pub lost: Option<Amount>,
    /// Most answers that don't match.
    pub wrong: Option<Amount>,
    /// Statuses that answers may have, such as `2xx` or `404`.
    pub status: Vec<String>,
    /// Longest times of a part of the answers.
    pub times: Vec<(Part, Duration)>,
    /// Part of the answers by who gave them; the binomial interval around it is allowed.
    pub share: Vec<(String, f64)>,
    /// Most keys that more than one gave answers to.
    pub sides: Option<Amount>,
    /// Most keys whose last answer came from another than the first.
    pub moved: Option<Amount>,
    /// Fewest keys whose last answer came from another than the first.
    pub changed: Option<u64>,
    /// The only ones that keys may move to.
    pub moved_to: Vec<String>,
    /// Most keys with a question lost or answered wrongly.
    pub affected: Option<Amount>,
    /// Whether, of all that are asked at a time, at most one may answer as `by` says.
    pub at_most_one: bool,
    /// Containers that must have started anew.
    pub restarted: Vec<Target>,
    /// Containers that must not have started anew.
    pub kept: Vec<Target>,
    /// Questions that must be answered so, soon.
    pub answers: Vec<Look>,
    /// Files that must be so, soon.
    pub files: Vec<FileLook>,
    /// Where every key that was answered must stand exactly once.
    pub once: Option<Once>,
}

/// A part of the answers, fastest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Half of them.
    P50,
    /// 95 %.
    P95,
    /// 99 %.
    P99,
    /// All.
    Max,
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Max => "max",
        })
    }
}

/// The most that may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Amount {
    /// So many.
    Count(u64),
    /// So many of a hundred.
    Percent(f64),
}

impl Amount {
    /// Reads `3` and `2.5%`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_suffix('%') {
            Some(percent) => {
                let percent: f64 = percent.trim().parse().ok()?;
                (0.0..=100.0).contains(&percent).then_some(Self::Percent(percent))
            }
            None => text.parse().ok().map(Self::Count),
        }
    }

    /// Whether so many of a whole are no more than it.
    pub fn allows(self, found: u64, whole: u64) -> bool {
        match self {
            Self::Count(most) => found <= most,
            #[expect(
                clippy::cast_precision_loss,
                reason = "counts of questions are far below 2^52"
            )]
            Self::Percent(most) => found as f64 * 100.0 <= most * whole as f64,
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(formatter, "{count}"),
            Self::Percent(percent) => write!(formatter, "{percent} %"),
        }
    }
}

/// A question that must be answered so, soon.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// Where it is written.
    pub place: Place,
    /// When it is first asked, from the start of the load; `None` is after load and faults.
    pub at: Option<Duration>,
    /// How long it may take until it is so.
    pub within: Duration,
    /// Whose network it comes from.
    pub from: Option<Name>,
    /// The question.
    pub ask: Ask,
    /// The status that it must have.
    pub status: Option<String>,
    /// What the answer must match.
    pub matches: Option<Pattern>,
    /// What it must not match.
    pub lacks: Option<Pattern>,
    /// Whether no connection may be had.
    pub refused: bool,
}

/// A file that must be so, soon.
#[derive(Debug, Clone, PartialEq)]
pub struct FileLook {
    /// Where it is written.
    pub place: Place,
    /// When it is first read, from the start of the load; `None` is after load and faults.
    pub at: Option<Duration>,
    /// How long it may take until it is so.
    pub within: Duration,
    /// The container.
    pub target: Target,
    /// The path in it.
    pub path: String,
    /// What it must match.
    pub matches: Option<Pattern>,
    /// Whether it must not be there.
    pub missing: bool,
}

/// Where every key that was answered must stand exactly once.
#[derive(Debug, Clone, PartialEq)]
pub struct Once {
    /// Where it is written.
    pub place: Place,
    /// The container.
    pub target: Target,
    /// A file in it; `None` is what it wrote on its output.
    pub path: Option<String>,
    /// Whose first group is the key.
    pub pattern: Pattern,
    /// How long it may take until all are there.
    pub within: Duration,
}
