//! Decides what is done with a command of Redis, and joins the replies of several shards.

use super::plan::{Groups, Join, Part, Plan};
use super::ring::tag;
use crate::block::resp::{self, Request, array, bulk, integer};

/// Where a command's keys are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keys {
    /// The first argument.
    First,
    /// The argument of this place.
    At(usize),
    /// The first two arguments.
    Two,
    /// Every argument from this place on.
    From(usize),
    /// Every second argument.
    Pairs,
    /// The number of keys at this place, then the keys.
    Counted(usize),
    /// A key, the number of further keys, and these.
    FirstAndCounted,
    /// The first half of what follows the word `STREAMS`.
    Streams,
}

/// What is done with a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It goes to the shard that owns all of its keys.
    Routed(Keys),
    /// Its keys are spread, and the numbers that come back added up.
    Summed,
    /// `MGET`.
    Gathered,
    /// `MSET`.
    Scattered,
    /// Every shard is asked.
    Everywhere,
    /// It is answered here.
    Here,
    /// It is refused, for this reason.
    Refused(&'static str),
}

use Keys::{At, Counted, First, FirstAndCounted, From, Pairs, Streams, Two};
use Kind::{Everywhere, Gathered, Here, Refused, Routed, Scattered, Summed};

const BLOCKS: &str = "it would hold up every client of the shard";
const STATE: &str = "it needs a connection of its own, and clients share them";
const SERVER: &str = "it is about one server, not about a key";

/// Every command that is known, in order.
const COMMANDS: &[(&[u8], Kind)] = &[
    (b"ACL", Refused(SERVER)),
    (b"APPEND", Routed(First)),
    (b"AUTH", Refused(STATE)),
    (b"BGREWRITEAOF", Refused(SERVER)),
    (b"BGSAVE", Refused(SERVER)),
    (b"BITCOUNT", Routed(First)),
    (b"BITFIELD", Routed(First)),
    (b"BITFIELD_RO", Routed(First)),
    (b"BITOP", Routed(From(2))),
    (b"BITPOS", Routed(First)),
    (b"BLMOVE", Refused(BLOCKS)),
    (b"BLMPOP", Refused(BLOCKS)),
    (b"BLPOP", Refused(BLOCKS)),
    (b"BRPOP", Refused(BLOCKS)),
    (b"BRPOPLPUSH", Refused(BLOCKS)),
    (b"BZMPOP", Refused(BLOCKS)),
    (b"BZPOPMAX", Refused(BLOCKS)),
    (b"BZPOPMIN", Refused(BLOCKS)),
    (b"CLIENT", Here),
    (b"CLUSTER", Refused(SERVER)),
    (b"COMMAND", Here),
    (b"CONFIG", Here),
    (b"COPY", Routed(Two)),
    (b"DBSIZE", Everywhere),
    (b"DEBUG", Refused(SERVER)),
    (b"DECR", Routed(First)),
    (b"DECRBY", Routed(First)),
    (b"DEL", Summed),
    (b"DISCARD", Refused(STATE)),
    (b"DUMP", Routed(First)),
    (b"ECHO", Here),
    (b"EVAL", Routed(Counted(2))),
    (b"EVALSHA", Routed(Counted(2))),
    (b"EVALSHA_RO", Routed(Counted(2))),
    (b"EVAL_RO", Routed(Counted(2))),
    (b"EXEC", Refused(STATE)),
    (b"EXISTS", Summed),
    (b"EXPIRE", Routed(First)),
    (b"EXPIREAT", Routed(First)),
    (b"EXPIRETIME", Routed(First)),
    (b"FAILOVER", Refused(SERVER)),
    (b"FCALL", Routed(Counted(2))),
    (b"FCALL_RO", Routed(Counted(2))),
    (b"FLUSHALL", Everywhere),
    (b"FLUSHDB", Everywhere),
    (b"FUNCTION", Refused(SERVER)),
    (b"GEOADD", Routed(First)),
    (b"GEODIST", Routed(First)),
    (b"GEOHASH", Routed(First)),
    (b"GEOPOS", Routed(First)),
    (
        b"GEORADIUS",
        Refused("its STORE may name a key of another shard: use GEOSEARCH"),
    ),
    (
        b"GEORADIUSBYMEMBER",
        Refused("its STORE may name a key of another shard: use GEOSEARCH"),
    ),
    (b"GEORADIUSBYMEMBER_RO", Routed(First)),
    (b"GEORADIUS_RO", Routed(First)),
    (b"GEOSEARCH", Routed(First)),
    (b"GEOSEARCHSTORE", Routed(Two)),
    (b"GET", Routed(First)),
    (b"GETBIT", Routed(First)),
    (b"GETDEL", Routed(First)),
    (b"GETEX", Routed(First)),
    (b"GETRANGE", Routed(First)),
    (b"GETSET", Routed(First)),
    (b"HDEL", Routed(First)),
    (b"HELLO", Here),
    (b"HEXISTS", Routed(First)),
    (b"HEXPIRE", Routed(First)),
    (b"HEXPIREAT", Routed(First)),
    (b"HEXPIRETIME", Routed(First)),
    (b"HGET", Routed(First)),
    (b"HGETALL", Routed(First)),
    (b"HGETDEL", Routed(First)),
    (b"HGETEX", Routed(First)),
    (b"HINCRBY", Routed(First)),
    (b"HINCRBYFLOAT", Routed(First)),
    (b"HKEYS", Routed(First)),
    (b"HLEN", Routed(First)),
    (b"HMGET", Routed(First)),
    (b"HMSET", Routed(First)),
    (b"HPERSIST", Routed(First)),
    (b"HPEXPIRE", Routed(First)),
    (b"HPEXPIREAT", Routed(First)),
    (b"HPEXPIRETIME", Routed(First)),
    (b"HPTTL", Routed(First)),
    (b"HRANDFIELD", Routed(First)),
    (b"HSCAN", Routed(First)),
    (b"HSET", Routed(First)),
    (b"HSETEX", Routed(First)),
    (b"HSETNX", Routed(First)),
    (b"HSTRLEN", Routed(First)),
    (b"HTTL", Routed(First)),
    (b"HVALS", Routed(First)),
    (b"INCR", Routed(First)),
    (b"INCRBY", Routed(First)),
    (b"INCRBYFLOAT", Routed(First)),
    (b"INFO", Here),
    (b"KEYS", Everywhere),
    (b"LASTSAVE", Refused(SERVER)),
    (b"LATENCY", Refused(SERVER)),
    (b"LCS", Routed(Two)),
    (b"LINDEX", Routed(First)),
    (b"LINSERT", Routed(First)),
    (b"LLEN", Routed(First)),
    (b"LMOVE", Routed(Two)),
    (b"LMPOP", Routed(Counted(1))),
    (b"LPOP", Routed(First)),
    (b"LPOS", Routed(First)),
    (b"LPUSH", Routed(First)),
    (b"LPUSHX", Routed(First)),
    (b"LRANGE", Routed(First)),
    (b"LREM", Routed(First)),
    (b"LSET", Routed(First)),
    (b"LTRIM", Routed(First)),
    (b"MEMORY", Routed(At(2))),
    (b"MGET", Gathered),
    (b"MIGRATE", Refused(SERVER)),
    (b"MODULE", Refused(SERVER)),
    (b"MONITOR", Refused(STATE)),
    (b"MOVE", Refused("there is only database 0")),
    (b"MSET", Scattered),
    (b"MSETNX", Routed(Pairs)),
    (b"MULTI", Refused(STATE)),
    (b"OBJECT", Routed(At(2))),
    (b"PERSIST", Routed(First)),
    (b"PEXPIRE", Routed(First)),
    (b"PEXPIREAT", Routed(First)),
    (b"PEXPIRETIME", Routed(First)),
    (b"PFADD", Routed(First)),
    (b"PFCOUNT", Routed(From(1))),
    (b"PFMERGE", Routed(From(1))),
    (b"PING", Here),
    (b"PSETEX", Routed(First)),
    (b"PSUBSCRIBE", Refused(STATE)),
    (b"PSYNC", Refused(SERVER)),
    (b"PTTL", Routed(First)),
    (b"PUBLISH", Refused(SERVER)),
    (b"PUBSUB", Refused(SERVER)),
    (b"PUNSUBSCRIBE", Refused(STATE)),
    (b"QUIT", Here),
    (b"RANDOMKEY", Refused(SERVER)),
    (b"READONLY", Refused(STATE)),
    (b"READWRITE", Refused(STATE)),
    (b"RENAME", Routed(Two)),
    (b"RENAMENX", Routed(Two)),
    (b"REPLICAOF", Refused(SERVER)),
    (b"RESET", Here),
    (b"RESTORE", Routed(First)),
    (b"ROLE", Refused(SERVER)),
    (b"RPOP", Routed(First)),
    (b"RPOPLPUSH", Routed(Two)),
    (b"RPUSH", Routed(First)),
    (b"RPUSHX", Routed(First)),
    (b"SADD", Routed(First)),
    (b"SAVE", Refused(SERVER)),
    (b"SCAN", Everywhere),
    (b"SCARD", Routed(First)),
    (b"SCRIPT", Refused(SERVER)),
    (b"SDIFF", Routed(From(1))),
    (b"SDIFFSTORE", Routed(From(1))),
    (b"SELECT", Here),
    (b"SET", Routed(First)),
    (b"SETBIT", Routed(First)),
    (b"SETEX", Routed(First)),
    (b"SETNX", Routed(First)),
    (b"SETRANGE", Routed(First)),
    (b"SHUTDOWN", Refused(SERVER)),
    (b"SINTER", Routed(From(1))),
    (b"SINTERCARD", Routed(Counted(1))),
    (b"SINTERSTORE", Routed(From(1))),
    (b"SISMEMBER", Routed(First)),
    (b"SLAVEOF", Refused(SERVER)),
    (b"SLOWLOG", Refused(SERVER)),
    (b"SMEMBERS", Routed(First)),
    (b"SMISMEMBER", Routed(First)),
    (b"SMOVE", Routed(Two)),
    (
        b"SORT",
        Refused("its patterns and its STORE may name keys of other shards"),
    ),
    (b"SORT_RO", Refused("its patterns may name keys of other shards")),
    (b"SPOP", Routed(First)),
    (b"SPUBLISH", Refused(SERVER)),
    (b"SRANDMEMBER", Routed(First)),
    (b"SREM", Routed(First)),
    (b"SSCAN", Routed(First)),
    (b"SSUBSCRIBE", Refused(STATE)),
    (b"STRLEN", Routed(First)),
    (b"SUBSCRIBE", Refused(STATE)),
    (b"SUBSTR", Routed(First)),
    (b"SUNION", Routed(From(1))),
    (b"SUNIONSTORE", Routed(From(1))),
    (b"SUNSUBSCRIBE", Refused(STATE)),
    (b"SWAPDB", Refused("there is only database 0")),
    (b"SYNC", Refused(SERVER)),
    (b"TIME", Refused(SERVER)),
    (b"TOUCH", Summed),
    (b"TTL", Routed(First)),
    (b"TYPE", Routed(First)),
    (b"UNLINK", Summed),
    (b"UNSUBSCRIBE", Refused(STATE)),
    (b"UNWATCH", Refused(STATE)),
    (b"WAIT", Refused(BLOCKS)),
    (b"WAITAOF", Refused(BLOCKS)),
    (b"WATCH", Refused(STATE)),
    (b"XACK", Routed(First)),
    (b"XADD", Routed(First)),
    (b"XAUTOCLAIM", Routed(First)),
    (b"XCLAIM", Routed(First)),
    (b"XDEL", Routed(First)),
    (b"XGROUP", Routed(At(2))),
    (b"XINFO", Routed(At(2))),
    (b"XLEN", Routed(First)),
    (b"XPENDING", Routed(First)),
    (b"XRANGE", Routed(First)),
    (b"XREAD", Routed(Streams)),
    (b"XREADGROUP", Routed(Streams)),
    (b"XREVRANGE", Routed(First)),
    (b"XSETID", Routed(First)),
    (b"XTRIM", Routed(First)),
    (b"ZADD", Routed(First)),
    (b"ZCARD", Routed(First)),
    (b"ZCOUNT", Routed(First)),
    (b"ZDIFF", Routed(Counted(1))),
    (b"ZDIFFSTORE", Routed(FirstAndCounted)),
    (b"ZINCRBY", Routed(First)),
    (b"ZINTER", Routed(Counted(1))),
    (b"ZINTERCARD", Routed(Counted(1))),
    (b"ZINTERSTORE", Routed(FirstAndCounted)),
    (b"ZLEXCOUNT", Routed(First)),
    (b"ZMPOP", Routed(Counted(1))),
    (b"ZMSCORE", Routed(First)),
    (b"ZPOPMAX", Routed(First)),
    (b"ZPOPMIN", Routed(First)),
    (b"ZRANDMEMBER", Routed(First)),
    (b"ZRANGE", Routed(First)),
    (b"ZRANGEBYLEX", Routed(First)),
    (b"ZRANGEBYSCORE", Routed(First)),
    (b"ZRANGESTORE", Routed(Two)),
    (b"ZRANK", Routed(First)),
    (b"ZREM", Routed(First)),
    (b"ZREMRANGEBYLEX", Routed(First)),
    (b"ZREMRANGEBYRANK", Routed(First)),
    (b"ZREMRANGEBYSCORE", Routed(First)),
    (b"ZREVRANGE", Routed(First)),
    (b"ZREVRANGEBYLEX", Routed(First)),
    (b"ZREVRANGEBYSCORE", Routed(First)),
    (b"ZREVRANK", Routed(First)),
    (b"ZSCAN", Routed(First)),
    (b"ZSCORE", Routed(First)),
    (b"ZUNION", Routed(Counted(1))),
    (b"ZUNIONSTORE", Routed(FirstAndCounted)),
];

/// The longest name of a command.
const LONGEST: usize = 20;

/// Looks a command up by its name in upper case.
fn look_up(upper: &[u8]) -> Option<Kind> {
    let place = COMMANDS.binary_search_by(|(known, _)| (*known).cmp(upper)).ok()?;
    Some(COMMANDS[place].1)
}

/// What a client's connection knows.
#[derive(Debug, Default)]
pub struct Session {
    /// As `CLIENT SETNAME` said.
    pub name: Vec<u8>,
    /// Numbers the connections.
    pub id: i64,
}

/// The shards, as far as a decision needs them.
pub trait Shards {
    /// Who owns a key; nobody where no shard is left.
    fn owner(&self, key: &[u8]) -> Option<usize>;
    /// How many there are, those that were left out included.
    fn count(&self) -> usize;
    /// Whether a shard is left out.
    fn is_out(&self, shard: usize) -> bool;
    /// What `INFO` says.
    fn info(&self) -> String;
}

/// The shard that owns a key, by its tag.
fn owner(shards: &impl Shards, key: &[u8]) -> Result<usize, String> {
    shards
        .owner(tag(key))
        .ok_or_else(|| "ERR motif: no shard is left".to_owned())
}

/// Decides what is done with a request.
pub fn plan(request: Request<'_>, session: &mut Session, shards: &impl Shards) -> Plan {
    let Some(name) = request.get(0) else {
        return Plan::Nothing;
    };
    let mut upper = [0; LONGEST];
    let kind = upper.get_mut(..name.len()).and_then(|upper| {
        upper.copy_from_slice(name);
        upper.make_ascii_uppercase();
        look_up(upper)
    });
    let name = &upper[..name.len().min(LONGEST)];
    let decided = match kind {
        Some(Routed(keys)) => routed(request, name, keys, shards),
        Some(Summed) => spread(request, name, shards),
        Some(Gathered) => gathered(request, shards),
        Some(Scattered) => scattered(request, shards),
        Some(Everywhere) => everywhere(request, name, shards),
        Some(Here) => here(request, name, session, shards),
        Some(Refused(reason)) => Err(format!("ERR motif: `{}` is refused: {reason}", text(name))),
        None => Err(format!(
            "ERR motif: unknown command `{}`: there is no telling which shard it is for",
            text(request.get(0).unwrap_or_default())
        )),
    };
    decided.unwrap_or_else(|message| {
        let mut out = Vec::new();
        resp::error(&mut out, &message);
        Plan::Answer(out)
    })
}

/// What a person can read of bytes; cut where it is long.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(64)]).into_owned()
}

fn wrong_number(name: &[u8]) -> String {
    let name = text(name).to_ascii_lowercase();
    format!("ERR wrong number of arguments for '{name}' command")
}

/// To one shard: as it came, or as an array where it came as a line.
fn pass(request: Request<'_>, shard: usize) -> Plan {
    if request.inline {
        let arguments: Vec<_> = request.arguments().collect();
        let bytes = write(&arguments);
        return Plan::Spread(vec![Part { shard, bytes }], Join::Only);
    }
    Plan::Pass(shard)
}

fn write(arguments: &[&[u8]]) -> Vec<u8> {
    let size: usize = arguments.iter().map(|argument| argument.len() + 16).sum();
    let mut out = Vec::with_capacity(size + 16);
    array(&mut out, arguments.len());
    for argument in arguments {
        bulk(&mut out, argument);
    }
    out
}

fn routed(request: Request<'_>, name: &[u8], keys: Keys, shards: &impl Shards) -> Result<Plan, String> {
    if keys == First {
        let key = request.get(1).ok_or_else(|| wrong_number(name))?;
        return Ok(pass(request, owner(shards, key)?));
    }
    let counted = |place: usize| {
        let count = request.get(place).and_then(resp::number);
        let count = count.and_then(|count| usize::try_from(count).ok());
        let count = count.ok_or_else(not_a_count)?;
        if count > request.count().saturating_sub(place + 1) {
            return Err("ERR Number of keys can't be greater than number of args".to_owned());
        }
        Ok((place + 1..place + 1 + count).collect::<Vec<_>>())
    };
    let places: Vec<usize> = match keys {
        First => vec![1],
        At(place) => vec![place],
        Two => vec![1, 2],
        From(place) => (place..request.count()).collect(),
        Pairs => (1..request.count()).step_by(2).collect(),
        Counted(place) => counted(place)?,
        FirstAndCounted => std::iter::once(1).chain(counted(2)?).collect(),
        Streams => {
            let is = |argument: &[u8], word: &[u8]| argument.eq_ignore_ascii_case(word);
            let mut words = request.arguments();
            let start = words
                .position(|word| is(word, b"STREAMS"))
                .ok_or("ERR syntax error")?
                + 1;
            if request.arguments().take(start).any(|word| is(word, b"BLOCK")) {
                return Err(format!(
                    "ERR motif: `{}` with BLOCK is refused: {BLOCKS}",
                    text(name)
                ));
            }
            (start..start + (request.count() - start) / 2).collect()
        }
    };
    let mut found = None;
    for place in places {
        let key = request.get(place).ok_or_else(|| wrong_number(name))?;
        let shard = owner(shards, key)?;
        if found.is_some_and(|found| found != shard) {
            return Err(format!(
                "ERR motif: the keys of `{}` are on several shards: braces keep keys together, as in {{a}}1 and {{a}}2",
                text(name)
            ));
        }
        found = Some(shard);
    }
    match found {
        Some(shard) => Ok(pass(request, shard)),
        // A script without keys is the same everywhere.
        None if matches!(keys, Counted(2)) => Ok(pass(request, owner(shards, b"")?)),
        None => Err(wrong_number(name)),
    }
}

fn not_a_count() -> String {
    "ERR value is not an integer or out of range".to_owned()
}

fn spread(request: Request<'_>, name: &[u8], shards: &impl Shards) -> Result<Plan, String> {
    if request.count() < 2 {
        return Err(wrong_number(name));
    }
    let mut groups = Groups::default();
    for key in request.arguments().skip(1) {
        groups.add(owner(shards, key)?, &[key]);
    }
    if let Some(shard) = groups.only() {
        return Ok(pass(request, shard));
    }
    let parts = groups.parts(|keys| write(&[&[name], keys].concat()));
    Ok(Plan::Spread(parts, Join::Sum))
}

fn gathered(request: Request<'_>, shards: &impl Shards) -> Result<Plan, String> {
    if request.count() < 2 {
        return Err(wrong_number(b"MGET"));
    }
    let mut groups = Groups::default();
    let mut order = Vec::with_capacity(request.count() - 1);
    for key in request.arguments().skip(1) {
        order.push(groups.add(owner(shards, key)?, &[key]));
    }
    if let Some(shard) = groups.only() {
        return Ok(pass(request, shard));
    }
    let parts = groups.parts(|keys| write(&[&[&b"MGET"[..]], keys].concat()));
    Ok(Plan::Spread(parts, Join::Array(order)))
}

fn scattered(request: Request<'_>, shards: &impl Shards) -> Result<Plan, String> {
    if request.count() < 3 || request.count().is_multiple_of(2) {
        return Err(wrong_number(b"MSET"));
    }
    let mut groups = Groups::default();
    let mut words = request.arguments().skip(1);
    while let (Some(key), Some(value)) = (words.next(), words.next()) {
        groups.add(owner(shards, key)?, &[key, value]);
    }
    if let Some(shard) = groups.only() {
        return Ok(pass(request, shard));
    }
    let parts = groups.parts(|pairs| write(&[&[&b"MSET"[..]], pairs].concat()));
    Ok(Plan::Spread(parts, Join::Same))
}

fn everywhere(request: Request<'_>, name: &[u8], shards: &impl Shards) -> Result<Plan, String> {
    let join = match name {
        b"SCAN" => return scan(request, shards),
        b"DBSIZE" => Join::Sum,
        b"KEYS" => Join::Concatenation,
        _ => Join::Same,
    };
    let arguments: Vec<_> = request.arguments().collect();
    let bytes = write(&arguments);
    let parts: Vec<_> = (0..shards.count())
        .filter(|shard| !shards.is_out(*shard))
        .map(|shard| Part {
            shard,
            bytes: bytes.clone(),
        })
        .collect();
    if parts.is_empty() {
        return Err("ERR motif: no shard is left".to_owned());
    }
    Ok(Plan::Spread(parts, join))
}

/// A scan goes through one shard after the other: the cursor says which, too.
fn scan(request: Request<'_>, shards: &impl Shards) -> Result<Plan, String> {
    let count = shards.count() as u64;
    let cursor = request.get(1).ok_or_else(|| wrong_number(b"SCAN"))?;
    let cursor: u64 = str::from_utf8(cursor)
        .ok()
        .and_then(|cursor| cursor.parse().ok())
        .ok_or("ERR invalid cursor")?;
    let named = usize::try_from(cursor % count).unwrap_or_default();
    let Some(shard) = (named..shards.count()).find(|shard| !shards.is_out(*shard)) else {
        return Ok(Plan::Answer(b"*2\r\n$1\r\n0\r\n*0\r\n".to_vec()));
    };
    // Where the cursor's own shard was left out, the next one is scanned from its start.
    let inner = if shard == named { cursor / count } else { 0 }.to_string();
    let head: [&[u8]; 2] = [b"SCAN", inner.as_bytes()];
    let arguments: Vec<_> = head.into_iter().chain(request.arguments().skip(2)).collect();
    let part = Part {
        shard,
        bytes: write(&arguments),
    };
    Ok(Plan::Spread(vec![part], Join::Cursor(shard, shards.count())))
}

fn here(
    request: Request<'_>,
    name: &[u8],
    session: &mut Session,
    shards: &impl Shards,
) -> Result<Plan, String> {
    let mut out = Vec::new();
    let first = request.get(1);
    match (name, request.count()) {
        (b"PING", 1) => out.extend_from_slice(b"+PONG\r\n"),
        (b"PING" | b"ECHO", 2) => bulk(&mut out, first.unwrap_or_default()),
        (b"QUIT", _) => return Ok(Plan::Close(b"+OK\r\n".to_vec())),
        (b"RESET", _) => {
            session.name.clear();
            out.extend_from_slice(b"+RESET\r\n");
        }
        (b"SELECT", 2) if first == Some(b"0") => out.extend_from_slice(b"+OK\r\n"),
        (b"SELECT", 2) => return Err("ERR motif: there is only database 0".to_owned()),
        (b"COMMAND", _) if first.is_some_and(|word| word.eq_ignore_ascii_case(b"COUNT")) => {
            integer(&mut out, 0);
        }
        (b"COMMAND", _) => array(&mut out, 0),
        (b"CONFIG", _) if first.is_some_and(|word| word.eq_ignore_ascii_case(b"GET")) => array(&mut out, 0),
        (b"CONFIG", _) => return Err("ERR motif: only CONFIG GET is known, and it knows nothing".to_owned()),
        (b"INFO", _) => bulk(&mut out, shards.info().as_bytes()),
        (b"HELLO", _) => hello(request, session, &mut out)?,
        (b"CLIENT", _) => client(request, session, &mut out)?,
        _ => return Err(wrong_number(name)),
    }
    Ok(Plan::Answer(out))
}

fn hello(request: Request<'_>, session: &mut Session, out: &mut Vec<u8>) -> Result<(), String> {
    if request.get(1).is_some_and(|version| version != b"2") {
        return Err("NOPROTO motif: only RESP2 is spoken".to_owned());
    }
    let mut words = request.arguments().skip(2);
    while let Some(word) = words.next() {
        match words.next() {
            Some(name) if word.eq_ignore_ascii_case(b"SETNAME") => session.name = name.to_vec(),
            _ => return Err("ERR syntax error".to_owned()),
        }
    }
    array(out, 14);
    for (name, value) in [("server", "motif"), ("version", env!("CARGO_PKG_VERSION"))] {
        bulk(out, name.as_bytes());
        bulk(out, value.as_bytes());
    }
    bulk(out, b"proto");
    integer(out, 2);
    bulk(out, b"id");
    integer(out, session.id);
    for (name, value) in [("mode", "standalone"), ("role", "master")] {
        bulk(out, name.as_bytes());
        bulk(out, value.as_bytes());
    }
    bulk(out, b"modules");
    array(out, 0);
    Ok(())
}

fn client(request: Request<'_>, session: &mut Session, out: &mut Vec<u8>) -> Result<(), String> {
    let word = request.get(1).unwrap_or_default().to_ascii_uppercase();
    match (word.as_slice(), request.count()) {
        (b"SETNAME", 3) => {
            let name = request.get(2).unwrap_or_default();
            if name.len() > 256 || !name.iter().all(u8::is_ascii_graphic) {
                return Err(
                    "ERR Client names cannot contain spaces, newlines or special characters.".to_owned(),
                );
            }
            session.name = name.to_vec();
            out.extend_from_slice(b"+OK\r\n");
        }
        (b"SETINFO", 4) => out.extend_from_slice(b"+OK\r\n"),
        (b"GETNAME", 2) if session.name.is_empty() => out.extend_from_slice(b"$-1\r\n"),
        (b"GETNAME", 2) => bulk(out, &session.name),
        (b"ID", 2) => integer(out, session.id),
        _ => {
            return Err(format!(
                "ERR motif: `CLIENT {}` is refused; SETNAME, SETINFO, GETNAME and ID are known",
                text(&word)
            ));
        }
    }
    Ok(())
}

/// One reply from those of the parts; the first error, where there is one.
pub fn join(join: &Join, parts: Vec<Vec<u8>>) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some(error) = parts.iter().position(|part| part.starts_with(b"-")) {
        return parts.into_iter().nth(error).unwrap_or_default();
    }
    let joined = match join {
        Join::Sum => sum(&parts).map(|sum| integer(&mut out, sum)),
        Join::Array(order) => interleave(order, &parts, &mut out),
        Join::Concatenation => concatenate(&parts, &mut out),
        Join::Cursor(shard, count) => rewrite_cursor(*shard, *count, &parts, &mut out),
        Join::Only | Join::Same | Join::Values(_) => None,
    };
    if joined.is_none() {
        out.clear();
        resp::error(&mut out, "ERR motif: the replies of the shards can't be joined");
    }
    out
}

fn sum(parts: &[Vec<u8>]) -> Option<i64> {
    let number = |part: &Vec<u8>| resp::number(part.strip_prefix(b":")?.strip_suffix(b"\r\n")?);
    parts
        .iter()
        .map(number)
        .try_fold(0_i64, |sum, next| sum.checked_add(next?))
}

fn interleave(order: &[u32], parts: &[Vec<u8>], out: &mut Vec<u8>) -> Option<()> {
    let elements: Option<Vec<_>> = parts.iter().map(|part| resp::elements(part)).collect();
    let mut elements: Vec<_> = elements?.into_iter().map(Vec::into_iter).collect();
    array(out, order.len());
    for part in order {
        out.extend_from_slice(elements.get_mut(usize::try_from(*part).ok()?)?.next()?);
    }
    elements
        .iter_mut()
        .all(|rest| rest.next().is_none())
        .then_some(())
}

fn concatenate(parts: &[Vec<u8>], out: &mut Vec<u8>) -> Option<()> {
    let elements: Option<Vec<_>> = parts.iter().map(|part| resp::elements(part)).collect();
    let elements = elements?;
    array(out, elements.iter().map(Vec::len).sum());
    for element in elements.into_iter().flatten() {
        out.extend_from_slice(element);
    }
    Some(())
}

fn rewrite_cursor(shard: usize, count: usize, parts: &[Vec<u8>], out: &mut Vec<u8>) -> Option<()> {
    let rest = parts.first()?.strip_prefix(b"*2\r\n")?;
    let length = resp::Scanner::default().read(rest).ok()??;
    let (cursor, keys) = rest.split_at(length);
    let cursor: u64 = str::from_utf8(resp::text(cursor)?).ok()?.parse().ok()?;
    let (shard, count) = (shard as u64, count as u64);
    let next = match cursor {
        // This shard is through: the next one, from its start.
        0 if shard + 1 == count => 0,
        0 => shard + 1,
        cursor => cursor.checked_mul(count)?.checked_add(shard)?,
    };
    array(out, 2);
    bulk(out, next.to_string().as_bytes());
    out.extend_from_slice(keys);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::resp::Parser;

    /// Three shards; a key's owner is its last digit, or none.
    struct Digits;

    impl Shards for Digits {
        fn owner(&self, key: &[u8]) -> Option<usize> {
            let digit = key.last().map_or(0, |byte| usize::from(byte.wrapping_sub(b'0')));
            Some(digit % 3)
        }
        fn count(&self) -> usize {
            3
        }
        fn is_out(&self, _: usize) -> bool {
            false
        }
        fn info(&self) -> String {
            "# Server\r\n".to_owned()
        }
    }

    fn decide(line: &str) -> Plan {
        let words: Vec<_> = line.split(' ').map(str::as_bytes).collect();
        let bytes = write(&words);
        let mut parser = Parser::default();
        parser.read(&bytes, 1 << 20).unwrap().unwrap();
        plan(parser.request(&bytes), &mut Session::default(), &Digits)
    }

    #[track_caller]
    fn passes(line: &str, shard: usize) {
        assert_eq!(decide(line), Plan::Pass(shard), "{line}");
    }

    #[track_caller]
    fn answers(line: &str, expect: &str) {
        match decide(line) {
            Plan::Answer(bytes) => {
                let text = String::from_utf8(bytes).unwrap();
                assert!(text.starts_with(expect), "{line}: {text}");
            }
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn the_table_is_in_order() {
        assert!(COMMANDS.is_sorted_by(|left, right| left.0 < right.0));
        assert_eq!(COMMANDS.iter().map(|(name, _)| name.len()).max(), Some(LONGEST));
    }

    #[test]
    fn a_command_goes_where_its_keys_are() {
        passes("GET k1", 1);
        passes("get k2", 2);
        passes("SET {x2}1 v EX 1", 2);
        passes("OBJECT ENCODING k2", 2);
        passes("RENAME a1 b1", 1);
        passes("SINTERSTORE a2 b2 c2", 2);
        passes("EVAL script 2 a1 b1 x2", 1);
        passes("EVAL script 0", 0);
        passes("ZUNIONSTORE a1 2 b1 c1 WEIGHTS 1 2", 1);
        passes("XREAD COUNT 1 STREAMS a2 b2 0 0", 2);
        passes("BITOP AND a1 b1", 1);
        passes("MSETNX a1 0 b1 0", 1);
        passes("MGET a1 b1", 1);
        passes("DEL a2", 2);
        passes("MSET a1 x b1 y", 1);
    }

    #[test]
    fn what_can_not_be_sharded_is_refused() {
        for line in [
            "MULTI",
            "SUBSCRIBE a",
            "BLPOP a1 0",
            "SORT a1",
            "PUBLISH a b",
            "AUTH x",
        ] {
            answers(line, "-ERR motif: `");
        }
        answers(
            "RENAME a1 b2",
            "-ERR motif: the keys of `RENAME` are on several shards",
        );
        answers(
            "EVAL script 2 a1 b2",
            "-ERR motif: the keys of `EVAL` are on several shards",
        );
        answers("EVAL script 3 a1", "-ERR Number of keys");
        answers("EVAL script x a1", "-ERR value is not an integer");
        answers(
            "ZUNIONSTORE a1 99999999999999999999 b1",
            "-ERR value is not an integer",
        );
        answers("XREAD BLOCK 0 STREAMS a1 0", "-ERR motif: `XREAD` with BLOCK");
        answers("FROBNICATE a1", "-ERR motif: unknown command `FROBNICATE`");
        answers("A-NAME-THAT-IS-LONGER-THAN-ANY a1", "-ERR motif: unknown command");
        answers("GET", "-ERR wrong number of arguments for 'get' command");
        answers("MSET a1", "-ERR wrong number");
        answers("SELECT 1", "-ERR motif: there is only database 0");
        answers("HELLO 3", "-NOPROTO");
    }

    #[test]
    fn connections_are_answered_here() {
        answers("PING", "+PONG");
        answers("ECHO a", "$1\r\na");
        answers("SELECT 0", "+OK");
        answers("COMMAND DOCS", "*0");
        answers("CONFIG GET save", "*0");
        answers("INFO", "$10\r\n# Server");
        answers("CLIENT SETINFO LIB-NAME x", "+OK");
        assert_eq!(decide("QUIT"), Plan::Close(b"+OK\r\n".to_vec()));
    }

    #[test]
    fn several_keys_are_spread_and_their_replies_joined() {
        let Plan::Spread(parts, join) = decide("MGET a1 b0 c1 d2") else {
            panic!("it is spread");
        };
        assert_eq!(parts.iter().map(|part| part.shard).collect::<Vec<_>>(), [1, 0, 2]);
        assert_eq!(parts[0].bytes, b"*3\r\n$4\r\nMGET\r\n$2\r\na1\r\n$2\r\nc1\r\n");
        let joined = join.join(vec![
            b"*2\r\n$1\r\nA\r\n$1\r\nC\r\n".to_vec(),
            b"*1\r\n$-1\r\n".to_vec(),
            b"*1\r\n$1\r\nD\r\n".to_vec(),
        ]);
        assert_eq!(joined, b"*4\r\n$1\r\nA\r\n$-1\r\n$1\r\nC\r\n$1\r\nD\r\n");

        let Plan::Spread(parts, join) = decide("DEL a1 b0 c1") else {
            panic!("it is spread");
        };
        assert_eq!(parts[0].bytes, b"*3\r\n$3\r\nDEL\r\n$2\r\na1\r\n$2\r\nc1\r\n");
        assert_eq!(join.join(vec![b":2\r\n".to_vec(), b":1\r\n".to_vec()]), b":3\r\n");
        assert_eq!(
            join.join(vec![b":2\r\n".to_vec(), b"-ERR x\r\n".to_vec()]),
            b"-ERR x\r\n"
        );
        assert!(
            join.join(vec![b":2\r\n".to_vec(), b"+x\r\n".to_vec()])
                .starts_with(b"-ERR motif")
        );

        let Plan::Spread(parts, join) = decide("MSET a1 x b0 y c1 z") else {
            panic!("it is spread");
        };
        assert_eq!(parts.len(), 2);
        assert_eq!(join.join(vec![b"+OK\r\n".to_vec(); 2]), b"+OK\r\n");
        assert_eq!(
            join.join(vec![b"+OK\r\n".to_vec(), b"-OOM\r\n".to_vec()]),
            b"-OOM\r\n"
        );
    }

    #[test]
    fn a_scan_goes_through_every_shard() {
        let Plan::Spread(parts, join) = decide("SCAN 0 COUNT 5") else {
            panic!("it is spread");
        };
        assert_eq!(parts[0].shard, 0);
        let reply = |cursor: &str| {
            vec![format!("*2\r\n${}\r\n{cursor}\r\n*1\r\n$1\r\nk\r\n", cursor.len()).into_bytes()]
        };
        assert_eq!(join.join(reply("7")), b"*2\r\n$2\r\n21\r\n*1\r\n$1\r\nk\r\n");
        assert_eq!(join.join(reply("0")), b"*2\r\n$1\r\n1\r\n*1\r\n$1\r\nk\r\n");
        let Plan::Spread(parts, join) = decide("SCAN 23") else {
            panic!("it is spread");
        };
        assert_eq!(
            (parts[0].shard, &parts[0].bytes[..]),
            (2, &b"*2\r\n$4\r\nSCAN\r\n$1\r\n7\r\n"[..])
        );
        assert_eq!(join.join(reply("0")), b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n");
        answers("SCAN -1", "-ERR invalid cursor");
        let Plan::Spread(parts, join) = decide("KEYS *") else {
            panic!("it is spread");
        };
        assert_eq!(parts.len(), 3);
        let joined = join.join(vec![
            b"*1\r\n$1\r\na\r\n".to_vec(),
            b"*0\r\n".to_vec(),
            b"*1\r\n$1\r\nb\r\n".to_vec(),
        ]);
        assert_eq!(joined, b"*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    }
}
