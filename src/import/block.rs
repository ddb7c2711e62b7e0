//! Recognises motif's own blocks in the images of others' files.

use super::item::{Item, Map};
use crate::stack::BlockInterface;

/// The block of motif's own image, and its flags as a mapping.
pub fn block(image: &str, args: &[String], blocks: &[BlockInterface]) -> Option<(String, Option<Item>)> {
    let repository = image.rsplit_once('@').map_or(image, |(name, _)| name);
    let last = repository.rsplit('/').next().unwrap_or(repository);
    let is_ours = last.split(':').next() == Some("motif-block") || repository.starts_with("motif/block:");
    let (name, flags) = args.split_first()?;
    let interface = blocks.iter().find(|block| is_ours && block.name == *name)?;
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    let mut words = flags.iter().peekable();
    while let Some(word) = words.next() {
        let flag = word.strip_prefix("--")?;
        let (flag, value) = if let Some((flag, value)) = flag.split_once('=') {
            (flag, value.to_owned())
        } else {
            let value = words.next_if(|next| !next.starts_with("--")).cloned();
            (flag, value.unwrap_or_else(|| "true".to_owned()))
        };
        let known = interface.flags.iter().find(|known| known.name == flag)?;
        match found.iter_mut().find(|(name, _)| name == flag) {
            Some((_, values)) if known.repeats => values.push(value),
            Some((_, values)) => *values = vec![value],
            None => found.push((flag.to_owned(), vec![value])),
        }
    }
    let mut map = Map::default();
    for (flag, mut values) in found {
        match values.pop() {
            Some(value) if values.is_empty() => map.put(&flag, Item::text_or_number(value)),
            Some(value) => {
                values.push(value);
                map.put(&flag, Item::texts(values));
            }
            None => {}
        }
    }
    Some((name.clone(), (!map.0.is_empty()).then(|| map.into())))
}
