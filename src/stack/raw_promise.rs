//! `promises:` as written.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::raw::{RawDuration, RawPortNumber};
use crate::diagnostic::Diagnostic;
use crate::stack::promise::Amount;
use crate::yaml::{Anything, Boolean, Content, Decode, Decoder, List, Map, Node, Text, Whole, record};

record! {
    /// A guarantee that `motif verify` tries.
    pub struct RawPromise ("a promise") {
        /// The guarantee, in a sentence.
        says "says" required: Text,
        /// What is asked of the stack meanwhile.
        load "load": Box<RawLoad>,
        /// What goes wrong meanwhile; each is well again after its time.
        faults "faults": List<RawFault>,
        /// What has to be seen.
        expect "expect" required: Box<RawExpect>,
        /// Parts that replicas play in turn, such as leader: a target may name one.
        roles "roles": Map<RawRole>,
        /// What takes the mechanism out: merged into the stack as a JSON Merge Patch (RFC 7396), so nothing removes a key. The promise must break then.
        control "control": Anything,
    }
}

record! {
    /// How it is seen that a replica plays a part.
    pub struct RawRole ("a role of replicas") {
        /// The port that is asked, over HTTP.
        port "port" required: RawPortNumber,
        /// The path that answers 200 to 299 where the replica plays it.
        path "path" required: Text,
    }
}

record! {
    /// Questions at a constant rate: exactly one of http, tcp, redis and command.
    pub struct RawLoad ("a load") {
        /// URL of an HTTP request. `{key}` and `{n}` in URL, headers, body and words stand for the question's key and number.
        http "http": Text,
        /// The method. Default GET.
        method "method": Text,
        /// Headers.
        headers "headers": Map<Text>,
        /// The body.
        body "body": Text,
        /// Whether each request has a connection of its own. Default false.
        fresh "fresh": Boolean,
        /// `host:port` that is connected to.
        tcp "tcp": Text,
        /// What is sent over TCP. Default nothing.
        send "send": Text,
        /// `host:port` of a server with Redis' protocol: a key is set to a new value and read back.
        redis "redis": Text,
        /// Redis servers; the one that holds the value then is who answered.
        stores "stores": List<Text>,
        /// Words of a command; its exit code 0 is an answer.
        command "command": List<Text>,
        /// The container that the command runs in: `pod/replica/container`.
        target "in": Text,
        /// The pod whose first replica's network the questions come from; `127.0.0.1` is then its own. When a fault ends it, the questions that it would have asked are lost. Default: a container beside the pods.
        from "from": Text,
        /// Questions in a second. Default 50.
        rate "rate": Whole<1, 10_000>,
        /// How long. Default 5s.
        time "for": RawDuration,
        /// Time after which a question is lost. Default 2s.
        timeout "timeout": RawDuration,
        /// How many keys take turns. Default: one for each question.
        keys "keys": Whole<1, 1_000_000>,
        /// How unevenly keys are chosen: the exponent of Zipf's law, 0 to 3. Default 0: in turn.
        skew "skew": RawSkew,
        /// Regular expression that a right answer's body matches.
        answer "answer": Text,
        /// Regular expression whose first group, in status line, headers and body, is who answered.
        by "by": Text,
        /// Whether every address behind the name is asked each time. Default false.
        each "each": Boolean,
    }
}

record! {
    /// Something that goes wrong: exactly one kind.
    pub struct RawFault ("a fault") {
        /// When, from the start of the load. Default 1s.
        at "at": RawDuration,
        /// How long; then it is well again. Default 1s.
        lasts "for": RawDuration,
        /// SIGKILL to containers: `pod`, `pod/0`, `pod/any`, `pod/all`, `pod/ROLE`, and `/container` behind it.
        kill "kill": Text,
        /// SIGTERM, and SIGKILL after the grace.
        stop "stop": Text,
        /// No process of the containers runs.
        pause "pause": Text,
        /// SIGSTOP to the first process of the containers.
        hang "hang": Text,
        /// Containers are stopped and started.
        restart "restart": Text,
        /// Replicas are taken off the stack's network.
        cut "cut": Text,
        /// Containers are held still again and again.
        slow "slow": Text,
        /// How long each time. Default 200ms.
        by "by": RawDuration,
        /// A volume of replicas is filled to the last byte.
        fill "fill": Text,
        /// The volume to fill.
        volume "volume": Text,
        /// A generated secret gets another value.
        rotate "rotate": Text,
        /// Pods to numbers of replicas: one.
        scale "scale": Map<Whole<0, 1000>>,
        /// Parameters of the stack to values.
        set "set": Map<Text>,
        /// Another stack: merged into this one as a JSON Merge Patch.
        change "change": Anything,
        /// Containers that a command runs in.
        exec "exec": Text,
        /// The words of the command.
        command "command": List<Text>,
    }
}

record! {
    /// What has to be seen: at least one.
    pub struct RawExpect ("an expectation") {
        /// Most questions without an answer in time or answered with a failure of the server (5xx): a number, or a part such as 2%.
        lost "lost": RawAmount,
        /// Most answers that `answer` doesn't match.
        wrong "wrong": RawAmount,
        /// Statuses that answers may have: 200, 4xx.
        status "status": List<Text>,
        /// Longest time of half of the answers.
        p50 "p50": RawDuration,
        /// Longest time of 95 % of the answers.
        p95 "p95": RawDuration,
        /// Longest time of 99 % of the answers.
        p99 "p99": RawDuration,
        /// Longest time of all answers.
        max "max": RawDuration,
        /// Part of the answers by who gave them, such as 10%; four standard deviations of the binomial distribution are allowed.
        share "share": Map<Text>,
        /// Most keys that more than one gave answers to.
        sides "sides": RawAmount,
        /// Most keys whose last answer came from another than the first.
        moved "moved": RawAmount,
        /// Fewest keys whose last answer came from another than the first.
        changed "changed": Whole<1, 1_000_000>,
        /// The only ones that keys may move to.
        moved_to "movedTo": List<Text>,
        /// Most keys with a question lost or answered wrongly.
        affected "affected": RawAmount,
        /// Whether, of all that are asked at a time, at most one may answer as `by` says. Default false.
        at_most_one "atMostOne": Boolean,
        /// Containers that must have started anew.
        restarted "restarted": List<Text>,
        /// Containers that must not have started anew.
        kept "kept": List<Text>,
        /// Questions that must be answered so, soon.
        answers "answers": List<RawLook>,
        /// Files that must be so, soon.
        files "files": List<RawFileLook>,
        /// Where every key that was answered must stand exactly once.
        once "once": Box<RawOnce>,
    }
}

record! {
    /// A question that must be answered so, soon: exactly one of http, tcp and command.
    pub struct RawLook ("a look") {
        /// When it is first asked, from the start of the load. Default: after load and faults.
        at "at": RawDuration,
        /// How long it may take until it is so. Default 10s.
        within "within": RawDuration,
        /// The pod whose first replica's network it comes from.
        from "from": Text,
        /// URL of an HTTP request.
        http "http": Text,
        /// `host:port` that is connected to.
        tcp "tcp": Text,
        /// What is sent over TCP. Default nothing.
        send "send": Text,
        /// Words of a command.
        command "command": List<Text>,
        /// The container that the command runs in.
        target "in": Text,
        /// The status that it must have: 200, 4xx.
        status "status": Text,
        /// Regular expression that the answer must match.
        matches "matches": Text,
        /// Regular expression that it must not match.
        lacks "lacks": Text,
        /// Whether no connection may be had. Default false.
        refused "refused": Boolean,
    }
}

record! {
    /// A file that must be so, soon.
    pub struct RawFileLook ("a look at a file") {
        /// When it is first read, from the start of the load. Default: after load and faults.
        at "at": RawDuration,
        /// How long it may take until it is so. Default 10s.
        within "within": RawDuration,
        /// The container.
        target "in" required: Text,
        /// The absolute path in it.
        path "path" required: Text,
        /// Regular expression that it must match.
        matches "matches": Text,
        /// Whether it must not be there. Default false.
        missing "missing": Boolean,
    }
}

record! {
    /// Where every key that was answered must stand exactly once.
    pub struct RawOnce ("a place for keys") {
        /// The container.
        target "in" required: Text,
        /// The absolute path of a file in it. Default: what it writes on its output.
        path "path": Text,
        /// Regular expression whose first group is the key.
        matches "matches" required: Text,
        /// How long it may take until all are there. Default 20s.
        within "within": RawDuration,
    }
}

/// The most that may be: a number, or a part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RawAmount(pub Amount);

impl Decode for RawAmount {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        if let Content::Scalar { text, .. } = &node.content
            && let Some(amount) = Amount::parse(text)
        {
            return Some(Self(amount));
        }
        decoder.push(Diagnostic::error(
            node.span,
            format!(
                "expected a number such as `0`, or a part such as `2%`, found {}",
                node.describe()
            ),
        ));
        None
    }
}

impl JsonSchema for RawAmount {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string", "pattern": "^[0-9.]+%?$|\\$\\{[^}]*\\}" }],
        })
    }
}

/// The exponent of Zipf's law.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RawSkew(pub f64);

impl Decode for RawSkew {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        if let Content::Scalar { text, .. } = &node.content
            && let Some(skew) = text.parse().ok().filter(|skew| (0.0..=3.0).contains(skew))
        {
            return Some(Self(skew));
        }
        decoder.unexpected(node, "a number from 0 to 3");
        None
    }
}

impl JsonSchema for RawSkew {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Skew".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "number", "minimum": 0, "maximum": 3 }, { "type": "string" }] })
    }
}
