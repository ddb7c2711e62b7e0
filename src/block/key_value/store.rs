//! Decides what each command does to the keys and what it answers: no socket, and the clock is an argument.

use std::collections::{BTreeSet, HashMap};

use super::glob::matches;
use crate::block::proxy::hash;
use crate::block::resp::{self, Request, array, bulk, integer};

/// Parts of the keys, by hash: a scan goes from one to the next, and keys never change theirs.
const PARTS: usize = 1024;
/// What a key costs beyond its bytes and its value's.
const OVERHEAD: u64 = 96;
/// What an expiry costs beyond the key's bytes.
const EXPIRY_OVERHEAD: u64 = 48;
/// Keys that are looked at for expiry after a command.
const EXPIRED_AT_ONCE: usize = 64;
/// The longest value, as in Redis.
const MOST_VALUE: usize = 512 * 1024 * 1024;

type Name = Box<[u8]>;

#[derive(Debug)]
struct Entry {
    value: Vec<u8>,
    /// When it ends, in milliseconds; 0 is never.
    expires: u64,
}

/// What a client's connection knows.
#[derive(Debug, Default)]
pub struct Session {
    /// As `CLIENT SETNAME` said.
    pub name: Vec<u8>,
    /// Numbers the connections.
    pub id: i64,
    /// It asked to be closed.
    pub quit: bool,
}

/// What a store counts, and what is told to it for `INFO`.
#[derive(Debug, Default, Clone, Copy)]
pub struct Counts {
    /// Commands that were carried out.
    pub commands: u64,
    /// Reads that found their key.
    pub hits: u64,
    /// Reads that did not.
    pub misses: u64,
    /// Keys that came to their end.
    pub expired: u64,
    /// Connections so far.
    pub connections: u64,
    /// Connections now.
    pub clients: u64,
}

/// What `INFO` says of the server.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// The port that it listens on.
    pub port: u16,
    /// The process.
    pub process: u32,
    /// When it started, in milliseconds.
    pub started: u64,
}

/// Every key and its value.
#[derive(Debug)]
pub struct Store {
    parts: Vec<HashMap<Name, Entry>>,
    /// Invariant: holds exactly the keys whose `expires` is not 0.
    expiries: BTreeSet<(u64, Name)>,
    keys: u64,
    used: u64,
    limit: u64,
    about: About,
    /// What it counts.
    pub counts: Counts,
}

/// What a command answers beside a reply that it wrote itself.
type Answer = Result<(), String>;

/// When a value is written.
#[derive(Debug, Clone, Copy)]
enum Condition {
    Always,
    Absent,
    Present,
}

fn syntax() -> String {
    "ERR syntax error".to_owned()
}

fn not_a_number() -> String {
    "ERR value is not an integer or out of range".to_owned()
}

fn integer_of(text: &[u8]) -> Result<i64, String> {
    resp::number(text).ok_or_else(not_a_number)
}

/// The moment that is so many units of so many milliseconds from now.
fn moment(now: u64, count: i64, unit: i64, command: &str) -> Result<u64, String> {
    count
        .checked_mul(unit)
        .and_then(|span| i64::try_from(now).ok()?.checked_add(span))
        .map(|moment| u64::try_from(moment).unwrap_or(1))
        .ok_or_else(|| format!("ERR invalid expire time in '{command}' command"))
}

impl Store {
    /// Without keys; holds at most so many bytes.
    pub fn new(limit: u64, about: About) -> Self {
        Self {
            parts: std::iter::repeat_with(HashMap::new).take(PARTS).collect(),
            expiries: BTreeSet::new(),
            keys: 0,
            used: 0,
            limit,
            about,
            counts: Counts::default(),
        }
    }

    /// Bytes that keys and values take.
    pub fn used(&self) -> u64 {
        self.used
    }

    /// How many keys there are.
    pub fn keys(&self) -> u64 {
        self.keys
    }

    /// Carries a request out and appends its reply. An answer of more than `most` bytes is refused.
    pub fn execute(
        &mut self,
        now: u64,
        session: &mut Session,
        request: Request<'_>,
        most: usize,
        out: &mut Vec<u8>,
    ) {
        let Some(name) = request.get(0) else { return };
        self.counts.commands += 1;
        self.expire(now, EXPIRED_AT_ONCE);
        let before = out.len();
        let upper = name.to_ascii_uppercase();
        if let Err(message) = self.carry_out(now, session, &upper, request, most, out) {
            out.truncate(before);
            resp::error(out, &message);
        }
    }

    fn carry_out(
        &mut self,
        now: u64,
        session: &mut Session,
        name: &[u8],
        request: Request<'_>,
        most: usize,
        out: &mut Vec<u8>,
    ) -> Answer {
        let shown = || String::from_utf8_lossy(&name[..name.len().min(64)]).to_ascii_lowercase();
        match fits(name, request.count()) {
            Some(true) => {}
            Some(false) => return Err(format!("ERR wrong number of arguments for '{}' command", shown())),
            None => {
                let first = request.get(1).unwrap_or_default();
                let first = String::from_utf8_lossy(&first[..first.len().min(64)]).into_owned();
                return Err(format!(
                    "ERR unknown command '{}', with args beginning with: '{first}'",
                    shown()
                ));
            }
        }
        match name {
            b"PING" | b"ECHO" | b"QUIT" | b"RESET" | b"SELECT" | b"HELLO" | b"CLIENT" | b"COMMAND"
            | b"CONFIG" | b"INFO" => self.converse(now, session, name, request, out),
            b"GET" | b"MGET" | b"SET" | b"SETEX" | b"PSETEX" | b"SETNX" | b"GETSET" | b"GETDEL" | b"MSET"
            | b"APPEND" | b"STRLEN" | b"INCR" | b"DECR" | b"INCRBY" | b"DECRBY" => {
                self.read_or_write(now, name, request, most, out)
            }
            _ => self.keep(now, name, request, most, out),
        }
    }

    /// What is about the connection and the server.
    fn converse(
        &mut self,
        now: u64,
        session: &mut Session,
        name: &[u8],
        request: Request<'_>,
        out: &mut Vec<u8>,
    ) -> Answer {
        let key = request.get(1).unwrap_or_default();
        match name {
            b"PING" if request.count() == 1 => out.extend_from_slice(b"+PONG\r\n"),
            b"PING" | b"ECHO" => bulk(out, key),
            b"QUIT" => {
                session.quit = true;
                ok(out);
            }
            b"RESET" => {
                session.name.clear();
                out.extend_from_slice(b"+RESET\r\n");
            }
            b"SELECT" => match integer_of(key)? {
                0 => ok(out),
                _ => return Err("ERR DB index is out of range".to_owned()),
            },
            b"HELLO" => hello(session, request, out)?,
            b"CLIENT" => client(session, request, out)?,
            b"COMMAND" => match key.to_ascii_uppercase().as_slice() {
                b"COUNT" => integer(out, 0),
                _ => array(out, 0),
            },
            b"CONFIG" => config(request, out)?,
            b"INFO" => {
                let text = self.info(now, request);
                bulk(out, text.as_bytes());
            }
            _ => {}
        }
        Ok(())
    }

    /// What reads or writes a value.
    fn read_or_write(
        &mut self,
        now: u64,
        name: &[u8],
        request: Request<'_>,
        most: usize,
        out: &mut Vec<u8>,
    ) -> Answer {
        let key = request.get(1).unwrap_or_default();
        let value = request.get(2).unwrap_or_default();
        match name {
            b"GET" => self.read(now, key, out),
            b"MGET" => {
                let size = request
                    .arguments()
                    .skip(1)
                    .map(|key| self.size(now, key))
                    .sum::<usize>();
                if size > most {
                    return Err("ERR the answer is too large".to_owned());
                }
                array(out, request.count() - 1);
                for key in request.arguments().skip(1) {
                    self.read(now, key, out);
                }
            }
            b"SET" => self.set(now, request, out)?,
            b"SETEX" | b"PSETEX" => {
                let (unit, shown) = if name == b"SETEX" {
                    (1000, "setex")
                } else {
                    (1, "psetex")
                };
                let span = integer_of(value)?;
                if span <= 0 {
                    return Err(format!("ERR invalid expire time in '{shown}' command"));
                }
                let expires = moment(now, span, unit, shown)?;
                self.put(now, key, request.get(3).unwrap_or_default(), expires)?;
                ok(out);
            }
            b"SETNX" => {
                let absent = self.find(now, key).is_none();
                if absent {
                    self.put(now, key, value, 0)?;
                }
                integer(out, i64::from(absent));
            }
            b"GETSET" => {
                self.read(now, key, out);
                self.put(now, key, value, 0)?;
            }
            b"GETDEL" => {
                self.read(now, key, out);
                self.remove(key);
            }
            b"MSET" => {
                self.check_room(now, request)?;
                let mut words = request.arguments().skip(1);
                while let (Some(key), Some(value)) = (words.next(), words.next()) {
                    self.put(now, key, value, 0)?;
                }
                ok(out);
            }
            b"INCR" => self.add(now, key, 1, out)?,
            b"DECR" => self.add(now, key, -1, out)?,
            b"INCRBY" => self.add(now, key, integer_of(value)?, out)?,
            b"DECRBY" => {
                let by = integer_of(value)?.checked_neg();
                self.add(now, key, by.ok_or("ERR decrement would overflow")?, out)?;
            }
            b"APPEND" => self.append(now, key, value, out)?,
            b"STRLEN" => {
                let length = self.find(now, key).map_or(0, |entry| entry.value.len());
                integer(out, i64::try_from(length).unwrap_or(i64::MAX));
            }
            _ => {}
        }
        Ok(())
    }

    /// What is about keys, whatever their values.
    fn keep(
        &mut self,
        now: u64,
        name: &[u8],
        request: Request<'_>,
        most: usize,
        out: &mut Vec<u8>,
    ) -> Answer {
        let key = request.get(1).unwrap_or_default();
        let value = request.get(2).unwrap_or_default();
        match name {
            b"DEL" | b"UNLINK" => {
                let mut removed = 0;
                for key in request.arguments().skip(1) {
                    let is_there = self.find(now, key).is_some();
                    removed += i64::from(is_there && self.remove(key).is_some());
                }
                integer(out, removed);
            }
            b"EXISTS" | b"TOUCH" => {
                let found = request
                    .arguments()
                    .skip(1)
                    .filter(|key| self.find(now, key).is_some());
                integer(out, i64::try_from(found.count()).unwrap_or(i64::MAX));
            }
            b"EXPIRE" => self.end_at(now, key, value, 1000, "expire", out)?,
            b"PEXPIRE" => self.end_at(now, key, value, 1, "pexpire", out)?,
            b"PERSIST" => {
                let had = self.find(now, key).is_some_and(|entry| entry.expires != 0);
                if had {
                    self.set_expiry(key, 0);
                }
                integer(out, i64::from(had));
            }
            b"TTL" | b"PTTL" => {
                let left = match self.find(now, key) {
                    None => -2,
                    Some(Entry { expires: 0, .. }) => -1,
                    Some(entry) => {
                        let left = i64::try_from(entry.expires - now).unwrap_or(i64::MAX);
                        if name == b"TTL" {
                            left.saturating_add(500) / 1000
                        } else {
                            left
                        }
                    }
                };
                integer(out, left);
            }
            b"TYPE" => {
                let is_there = self.find(now, key).is_some();
                out.extend_from_slice(if is_there { b"+string\r\n" } else { b"+none\r\n" });
            }
            b"DBSIZE" => {
                self.expire(now, usize::MAX);
                integer(out, i64::try_from(self.keys).unwrap_or(i64::MAX));
            }
            b"KEYS" => self.list(now, key, most, out)?,
            b"SCAN" => self.scan(now, request, out)?,
            b"FLUSHALL" | b"FLUSHDB" => {
                self.parts.iter_mut().for_each(|part| *part = HashMap::new());
                self.expiries.clear();
                (self.keys, self.used) = (0, 0);
                ok(out);
            }
            _ => {}
        }
        Ok(())
    }

    fn part(key: &[u8]) -> usize {
        usize::try_from(hash(key) % PARTS as u64).unwrap_or_default()
    }

    fn find(&self, now: u64, key: &[u8]) -> Option<&Entry> {
        let entry = self.parts[Self::part(key)].get(key)?;
        (entry.expires == 0 || entry.expires > now).then_some(entry)
    }

    fn size(&self, now: u64, key: &[u8]) -> usize {
        self.find(now, key).map_or(0, |entry| entry.value.len()) + 32
    }

    fn read(&mut self, now: u64, key: &[u8], out: &mut Vec<u8>) {
        if let Some(entry) = self.find(now, key) {
            bulk(out, &entry.value);
            self.counts.hits += 1;
        } else {
            out.extend_from_slice(b"$-1\r\n");
            self.counts.misses += 1;
        }
    }

    fn remove(&mut self, key: &[u8]) -> Option<Entry> {
        let (name, entry) = self.parts[Self::part(key)].remove_entry(key)?;
        self.keys -= 1;
        self.used -= cost(&name, entry.value.len(), entry.expires);
        if entry.expires != 0 {
            self.expiries.remove(&(entry.expires, name));
        }
        Some(entry)
    }

    /// Writes a value, if there is room for it.
    fn put(&mut self, now: u64, key: &[u8], value: &[u8], expires: u64) -> Answer {
        let old = self.parts[Self::part(key)].get(key);
        let freed = old.map_or(0, |old| cost(key, old.value.len(), old.expires));
        if self.used - freed + cost(key, value.len(), expires) > self.limit {
            return Err(self.out_of_memory());
        }
        self.remove(key);
        if expires != 0 && expires <= now {
            return Ok(());
        }
        let entry = Entry {
            value: value.to_vec(),
            expires,
        };
        self.used += cost(key, value.len(), expires);
        self.keys += 1;
        if expires != 0 {
            self.expiries.insert((expires, key.into()));
        }
        self.parts[Self::part(key)].insert(key.into(), entry);
        Ok(())
    }

    /// Whether all pairs would fit, as if none of their keys were there.
    fn check_room(&self, now: u64, request: Request<'_>) -> Answer {
        let mut words = request.arguments().skip(1);
        let mut more = 0;
        while let (Some(key), Some(value)) = (words.next(), words.next()) {
            more += cost(key, value.len(), 0);
            if let Some(old) = self.find(now, key) {
                more = more.saturating_sub(cost(key, old.value.len(), old.expires));
            }
        }
        if self.used + more > self.limit {
            return Err(self.out_of_memory());
        }
        Ok(())
    }

    fn out_of_memory(&self) -> String {
        format!(
            "OOM command not allowed: it would take more than the {} bytes of `--memory`",
            self.limit
        )
    }

    fn set_expiry(&mut self, key: &[u8], expires: u64) {
        let Some(entry) = self.parts[Self::part(key)].get_mut(key) else {
            return;
        };
        let before = std::mem::replace(&mut entry.expires, expires);
        let length = entry.value.len();
        self.used = self.used - cost(key, length, before) + cost(key, length, expires);
        if before != 0 {
            self.expiries.remove(&(before, key.into()));
        }
        if expires != 0 {
            self.expiries.insert((expires, key.into()));
        }
    }

    fn set(&mut self, now: u64, request: Request<'_>, out: &mut Vec<u8>) -> Answer {
        let (key, value) = (
            request.get(1).unwrap_or_default(),
            request.get(2).unwrap_or_default(),
        );
        let mut condition = Condition::Always;
        let (mut expires, mut keeps, mut returns) = (None, false, false);
        let mut words = request.arguments().skip(3);
        while let Some(word) = words.next() {
            match (word.to_ascii_uppercase().as_slice(), condition) {
                (b"NX", Condition::Always) => condition = Condition::Absent,
                (b"XX", Condition::Always) => condition = Condition::Present,
                (b"GET", _) => returns = true,
                (b"KEEPTTL", _) if expires.is_none() => keeps = true,
                (unit @ (b"EX" | b"PX" | b"EXAT" | b"PXAT"), _) if expires.is_none() && !keeps => {
                    let number = integer_of(words.next().ok_or_else(syntax)?)?;
                    if number <= 0 {
                        return Err("ERR invalid expire time in 'set' command".to_owned());
                    }
                    let scale = if unit.starts_with(b"EX") { 1000 } else { 1 };
                    let start = if unit.ends_with(b"AT") { 0 } else { now };
                    expires = Some(moment(start, number, scale, "set")?);
                }
                _ => return Err(syntax()),
            }
        }
        let old = self.find(now, key);
        let allowed = match condition {
            Condition::Always => true,
            Condition::Absent => old.is_none(),
            Condition::Present => old.is_some(),
        };
        let kept = old.map_or(0, |old| old.expires);
        if returns {
            self.read(now, key, out);
        }
        if allowed {
            let expires = if keeps { kept } else { expires.unwrap_or(0) };
            self.put(now, key, value, expires)?;
        }
        match (returns, allowed) {
            (true, _) => {}
            (false, true) => ok(out),
            (false, false) => out.extend_from_slice(b"$-1\r\n"),
        }
        Ok(())
    }

    fn add(&mut self, now: u64, key: &[u8], by: i64, out: &mut Vec<u8>) -> Answer {
        let (value, expires) = match self.find(now, key) {
            Some(entry) => (integer_of(&entry.value)?, entry.expires),
            None => (0, 0),
        };
        let sum = value
            .checked_add(by)
            .ok_or("ERR increment or decrement would overflow")?;
        self.put(now, key, sum.to_string().as_bytes(), expires)?;
        integer(out, sum);
        Ok(())
    }

    fn append(&mut self, now: u64, key: &[u8], more: &[u8], out: &mut Vec<u8>) -> Answer {
        if self.find(now, key).is_none() {
            self.put(now, key, more, 0)?;
            integer(out, i64::try_from(more.len()).unwrap_or(i64::MAX));
            return Ok(());
        }
        if self.used + more.len() as u64 > self.limit {
            return Err(self.out_of_memory());
        }
        if let Some(entry) = self.parts[Self::part(key)].get_mut(key) {
            if entry.value.len() + more.len() > MOST_VALUE {
                return Err("ERR string exceeds maximum allowed size".to_owned());
            }
            entry.value.extend_from_slice(more);
            self.used += more.len() as u64;
            integer(out, i64::try_from(entry.value.len()).unwrap_or(i64::MAX));
        }
        Ok(())
    }

    fn end_at(
        &mut self,
        now: u64,
        key: &[u8],
        span: &[u8],
        unit: i64,
        command: &str,
        out: &mut Vec<u8>,
    ) -> Answer {
        let expires = moment(now, integer_of(span)?, unit, command)?;
        let is_there = self.find(now, key).is_some();
        if is_there && expires <= now {
            self.remove(key);
        } else if is_there {
            self.set_expiry(key, expires);
        }
        integer(out, i64::from(is_there));
        Ok(())
    }

    /// Takes away keys whose end has come.
    pub fn expire(&mut self, now: u64, most: usize) {
        for _ in 0..most {
            match self.expiries.first() {
                Some((expires, _)) if *expires <= now => {}
                _ => return,
            }
            let Some((expires, name)) = self.expiries.pop_first() else {
                return;
            };
            if let Some(entry) = self.parts[Self::part(&name)].remove(&name) {
                self.keys -= 1;
                self.used -= cost(&name, entry.value.len(), expires);
                self.counts.expired += 1;
            }
        }
    }

    fn list(&mut self, now: u64, pattern: &[u8], most: usize, out: &mut Vec<u8>) -> Answer {
        self.expire(now, usize::MAX);
        let keys = || {
            let all = self.parts.iter().flat_map(HashMap::keys);
            all.filter(|key| matches(pattern, key))
        };
        let size: usize = keys().map(|key| key.len() + 32).sum();
        if size > most {
            return Err("ERR the answer is too large: use SCAN".to_owned());
        }
        array(out, keys().count());
        keys().for_each(|key| bulk(out, key));
        Ok(())
    }

    fn scan(&mut self, now: u64, request: Request<'_>, out: &mut Vec<u8>) -> Answer {
        let cursor = request
            .get(1)
            .and_then(resp::number)
            .and_then(|cursor| usize::try_from(cursor).ok());
        let mut part = cursor.ok_or("ERR invalid cursor")?;
        let (mut pattern, mut count, mut kind) = (None, 10, true);
        let mut words = request.arguments().skip(2);
        while let Some(word) = words.next() {
            let argument = words.next().ok_or_else(syntax)?;
            match word.to_ascii_uppercase().as_slice() {
                b"MATCH" => pattern = Some(argument),
                b"COUNT" => {
                    let number = integer_of(argument)?;
                    count = usize::try_from(number)
                        .ok()
                        .filter(|count| *count > 0)
                        .ok_or_else(syntax)?;
                }
                b"TYPE" => kind = argument.eq_ignore_ascii_case(b"string"),
                _ => return Err(syntax()),
            }
        }
        self.expire(now, usize::MAX);
        let (mut found, mut looked) = (Vec::new(), 0);
        while part < PARTS && looked < count {
            looked += self.parts[part].len();
            let keys = self.parts[part].keys();
            found.extend(keys.filter(|key| kind && pattern.is_none_or(|pattern| matches(pattern, key))));
            part += 1;
        }
        array(out, 2);
        let next = if part < PARTS { part } else { 0 };
        bulk(out, next.to_string().as_bytes());
        array(out, found.len());
        for key in found {
            bulk(out, key);
        }
        Ok(())
    }

    fn info(&self, now: u64, request: Request<'_>) -> String {
        let Counts {
            commands,
            hits,
            misses,
            expired,
            connections,
            clients,
        } = self.counts;
        let About {
            port,
            process,
            started,
        } = self.about;
        let (used, limit) = (self.used, self.limit);
        let seconds = now.saturating_sub(started) / 1000;
        let version = env!("CARGO_PKG_VERSION");
        let keyspace = match self.keys {
            0 => String::new(),
            keys => format!("db0:keys={keys},expires={},avg_ttl=0\r\n", self.expiries.len()),
        };
        let sections = [
            (
                "Server",
                format!(
                    "redis_version:7.0.0\r\nredis_mode:standalone\r\nmotif_version:{version}\r\n\
                     process_id:{process}\r\ntcp_port:{port}\r\nuptime_in_seconds:{seconds}\r\n"
                ),
            ),
            (
                "Clients",
                format!("connected_clients:{clients}\r\nblocked_clients:0\r\n"),
            ),
            (
                "Memory",
                format!("used_memory:{used}\r\nmaxmemory:{limit}\r\nmaxmemory_policy:noeviction\r\n"),
            ),
            (
                "Stats",
                format!(
                    "total_connections_received:{connections}\r\ntotal_commands_processed:{commands}\r\n\
                     expired_keys:{expired}\r\nevicted_keys:0\r\nkeyspace_hits:{hits}\r\nkeyspace_misses:{misses}\r\n"
                ),
            ),
            ("Keyspace", keyspace),
        ];
        let wanted = |name: &str| {
            let mut asked = request.arguments().skip(1).peekable();
            asked.peek().is_none()
                || asked.any(|asked| {
                    let all: [&[u8]; 3] = [b"all", b"default", b"everything"];
                    asked.eq_ignore_ascii_case(name.as_bytes())
                        || all.iter().any(|all| asked.eq_ignore_ascii_case(all))
                })
        };
        let shown: Vec<String> = sections
            .into_iter()
            .filter(|(name, _)| wanted(name))
            .map(|(name, lines)| format!("# {name}\r\n{lines}"))
            .collect();
        shown.join("\r\n")
    }
}

/// Whether a command takes so many words, its name included; nothing where it is not known.
fn fits(name: &[u8], count: usize) -> Option<bool> {
    Some(match name {
        b"DBSIZE" => count == 1,
        b"PING" | b"FLUSHALL" | b"FLUSHDB" => count <= 2,
        b"QUIT" | b"RESET" | b"INFO" | b"COMMAND" | b"HELLO" => true,
        b"ECHO" | b"SELECT" | b"GET" | b"INCR" | b"DECR" | b"STRLEN" | b"TTL" | b"PTTL" | b"TYPE"
        | b"KEYS" | b"PERSIST" | b"GETDEL" => count == 2,
        b"DEL" | b"UNLINK" | b"EXISTS" | b"TOUCH" | b"MGET" | b"SCAN" | b"CLIENT" | b"CONFIG" => count >= 2,
        b"SETNX" | b"INCRBY" | b"DECRBY" | b"APPEND" | b"EXPIRE" | b"PEXPIRE" | b"GETSET" => count == 3,
        b"SETEX" | b"PSETEX" => count == 4,
        b"SET" => count >= 3,
        b"MSET" => count >= 3 && count % 2 == 1,
        _ => return None,
    })
}

fn cost(key: &[u8], value: usize, expires: u64) -> u64 {
    let expiry = if expires == 0 {
        0
    } else {
        key.len() as u64 + EXPIRY_OVERHEAD
    };
    key.len() as u64 + value as u64 + OVERHEAD + expiry
}

fn ok(out: &mut Vec<u8>) {
    out.extend_from_slice(b"+OK\r\n");
}

fn hello(session: &mut Session, request: Request<'_>, out: &mut Vec<u8>) -> Answer {
    if let Some(version) = request.get(1)
        && version != b"2"
    {
        return Err("NOPROTO unsupported protocol version".to_owned());
    }
    let mut words = request.arguments().skip(2);
    while let Some(word) = words.next() {
        match word.to_ascii_uppercase().as_slice() {
            b"SETNAME" => session.name = words.next().ok_or_else(syntax)?.to_vec(),
            _ => return Err(syntax()),
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

fn client(session: &mut Session, request: Request<'_>, out: &mut Vec<u8>) -> Answer {
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
            ok(out);
        }
        (b"SETINFO", 4) => ok(out),
        (b"GETNAME", 2) if session.name.is_empty() => out.extend_from_slice(b"$-1\r\n"),
        (b"GETNAME", 2) => bulk(out, &session.name),
        (b"ID", 2) => integer(out, session.id),
        _ => {
            let word = String::from_utf8_lossy(&word[..word.len().min(64)]).into_owned();
            return Err(format!(
                "ERR unknown subcommand or wrong number of arguments for '{word}'. Try CLIENT SETNAME, SETINFO, GETNAME or ID."
            ));
        }
    }
    Ok(())
}

fn config(request: Request<'_>, out: &mut Vec<u8>) -> Answer {
    if !request
        .get(1)
        .is_some_and(|word| word.eq_ignore_ascii_case(b"GET"))
    {
        return Err("ERR only CONFIG GET is known: the flags of the block are its configuration".to_owned());
    }
    // What there is to save: nothing, ever. Benchmarks ask so.
    let known: [(&[u8], &[u8]); 2] = [(b"save", b""), (b"appendonly", b"no")];
    let found: Vec<_> = known
        .iter()
        .filter(|(name, _)| {
            request
                .arguments()
                .skip(2)
                .any(|asked| asked.eq_ignore_ascii_case(name))
        })
        .collect();
    array(out, found.len() * 2);
    for (name, value) in found {
        bulk(out, name);
        bulk(out, value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::resp::Parser;

    const ABOUT: About = About {
        port: 6379,
        process: 1,
        started: 0,
    };

    struct Talk {
        store: Store,
        session: Session,
        now: u64,
    }

    impl Talk {
        fn new(limit: u64) -> Self {
            Self {
                store: Store::new(limit, ABOUT),
                session: Session::default(),
                now: 1_000_000,
            }
        }

        /// What a line of words is answered.
        fn ask(&mut self, line: &str) -> String {
            let line = format!("{line}\n");
            let mut parser = Parser::default();
            parser.read(line.as_bytes(), 1 << 20).unwrap().unwrap();
            let mut out = Vec::new();
            let request = parser.request(line.as_bytes());
            self.store
                .execute(self.now, &mut self.session, request, 1 << 20, &mut out);
            String::from_utf8(out)
                .unwrap()
                .replace("\r\n", " ")
                .trim_end()
                .to_owned()
        }

        #[track_caller]
        fn check(&mut self, line: &str, expect: &str) {
            assert_eq!(self.ask(line), expect, "{line}");
        }

        /// What the store says it uses is what its entries cost.
        #[track_caller]
        fn check_sums(&self) {
            let entries = || self.store.parts.iter().flatten();
            let used: u64 = entries()
                .map(|(key, entry)| cost(key, entry.value.len(), entry.expires))
                .sum();
            assert_eq!(self.store.used, used);
            assert_eq!(self.store.keys, entries().count() as u64);
            let expiring = entries().filter(|(_, entry)| entry.expires != 0).count();
            assert_eq!(self.store.expiries.len(), expiring);
        }
    }

    #[test]
    fn values_are_written_and_read() {
        let mut talk = Talk::new(1 << 20);
        talk.check("GET a", "$-1");
        talk.check("set a 1", "+OK");
        talk.check("GET a", "$1 1");
        talk.check("SET a 2 NX", "$-1");
        talk.check("SET b 2 XX", "$-1");
        talk.check("SET a 2 XX GET", "$1 1");
        talk.check("INCR a", ":3");
        talk.check("DECRBY a 10", ":-7");
        talk.check("APPEND a 5", ":3");
        talk.check("GET a", "$3 -75");
        talk.check("STRLEN a", ":3");
        talk.check("MSET a x b y", "+OK");
        talk.check("MGET a none b", "*3 $1 x $-1 $1 y");
        talk.check("EXISTS a a none", ":2");
        talk.check("INCR a", "-ERR value is not an integer or out of range");
        talk.check("TYPE a", "+string");
        talk.check("TYPE none", "+none");
        talk.check("DBSIZE", ":2");
        talk.check_sums();
        talk.check("DEL a none b", ":2");
        talk.check("DBSIZE", ":0");
        assert_eq!(talk.store.used(), 0);
    }

    #[test]
    fn numbers_do_not_overflow() {
        let mut talk = Talk::new(1 << 20);
        talk.check("SET a 9223372036854775807", "+OK");
        talk.check("INCR a", "-ERR increment or decrement would overflow");
        talk.check("DECRBY a -9223372036854775808", "-ERR decrement would overflow");
        talk.check("GET a", "$19 9223372036854775807");
        talk.check(
            "EXPIRE a 9223372036854775807",
            "-ERR invalid expire time in 'expire' command",
        );
    }

    #[test]
    fn keys_come_to_their_end() {
        let mut talk = Talk::new(1 << 20);
        talk.check("SETEX a 10 x", "+OK");
        talk.check("SET b y PX 500", "+OK");
        talk.check("SET c z", "+OK");
        talk.check("TTL a", ":10");
        talk.check("PTTL b", ":500");
        talk.check("TTL c", ":-1");
        talk.check("TTL none", ":-2");
        talk.check("EXPIRE c 20", ":1");
        talk.check("SET a x KEEPTTL", "+OK");
        talk.check("TTL a", ":10");
        talk.check("INCR n", ":1");
        talk.now += 500;
        talk.check("GET b", "$-1");
        talk.check("SET b y NX", "+OK");
        talk.now += 9_500;
        talk.check("GET a", "$-1");
        talk.check("DBSIZE", ":3");
        talk.check("EXPIRE n 0", ":1");
        talk.check("EXISTS n", ":0");
        talk.check("PERSIST c", ":1");
        talk.check("TTL c", ":-1");
        talk.check_sums();
        talk.check("SETEX a 0 x", "-ERR invalid expire time in 'setex' command");
        talk.check("SET a x EX", "-ERR syntax error");
        talk.check("SET a x EX 1 PX 1", "-ERR syntax error");
        talk.check("SET a x NX XX", "-ERR syntax error");
    }

    #[test]
    fn a_write_beyond_the_memory_changes_nothing() {
        let mut talk = Talk::new(1000);
        talk.check(&format!("SET a {}", "x".repeat(850)), "+OK");
        for write in [
            "SET b 1234567890",
            "APPEND a xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "MSET a x b y c z d z e z f z g z h z i z j z k z l z m z n z o z",
            "INCR n",
            "SETEX n 1 x",
        ] {
            assert!(talk.ask(write).starts_with("-OOM"), "{write}");
        }
        talk.check("STRLEN a", ":850");
        talk.check("DBSIZE", ":1");
        talk.check("SET a small", "+OK");
        talk.check("SET b 1", "+OK");
        talk.check_sums();
    }

    #[test]
    fn a_scan_finds_every_key_that_stays() {
        let mut talk = Talk::new(10 << 20);
        for key in 0..3_000 {
            talk.ask(&format!("SET stays:{key} x"));
        }
        let (mut found, mut cursor, mut calls) = (std::collections::BTreeSet::new(), "0".to_owned(), 0);
        loop {
            let answer = talk.ask(&format!("SCAN {cursor} MATCH stays:* COUNT 100"));
            let words: Vec<_> = answer.split(' ').collect();
            found.extend(
                words[3..]
                    .iter()
                    .filter(|word| word.starts_with("stays"))
                    .map(|word| (*word).to_owned()),
            );
            cursor = words[2].to_owned();
            calls += 1;
            talk.ask(&format!("SET goes:{calls} x"));
            talk.ask(&format!("DEL goes:{}", calls - 1));
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(found.len(), 3_000);
        assert!(calls > 20, "{calls}");
        talk.check("SCAN x", "-ERR invalid cursor");
        talk.check("SCAN 0 COUNT 0", "-ERR syntax error");
        assert!(talk.ask("KEYS stays:29?9").starts_with("*10 "));
    }

    #[test]
    fn info_is_as_redis_writes_it() {
        let mut talk = Talk::new(1 << 20);
        talk.ask("SETEX a 10 x");
        talk.ask("SET b x");
        let text = talk.ask("INFO");
        for line in [
            "# Server",
            "# Clients",
            "connected_clients:0",
            "used_memory:",
            "db0:keys=2,expires=1,avg_ttl=0",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        let text = talk.ask("INFO keyspace");
        assert!(
            text.contains("# Keyspace db0:") && !text.contains("# Memory"),
            "{text}"
        );
    }

    #[test]
    fn connections_are_greeted() {
        let mut talk = Talk::new(1 << 20);
        talk.check("PING", "+PONG");
        talk.check("PING a", "$1 a");
        talk.check("SELECT 0", "+OK");
        talk.check("SELECT 1", "-ERR DB index is out of range");
        talk.check("HELLO 3", "-NOPROTO unsupported protocol version");
        talk.check("CLIENT GETNAME", "$-1");
        talk.check("CLIENT SETNAME me", "+OK");
        talk.check("CLIENT SETINFO LIB-NAME x", "+OK");
        talk.check("CLIENT GETNAME", "$2 me");
        talk.check("COMMAND COUNT", ":0");
        talk.check("COMMAND DOCS", "*0");
        talk.check("CONFIG GET maxmemory", "*0");
        talk.check("GET", "-ERR wrong number of arguments for 'get' command");
        talk.check(
            "LPUSH a b",
            "-ERR unknown command 'lpush', with args beginning with: 'a'",
        );
        assert!(talk.ask("HELLO 2").starts_with("*14 $6 server"));
        talk.check("QUIT", "+OK");
        assert!(talk.session.quit);
    }
}
