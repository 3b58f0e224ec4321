//! Numbers and texts as they stand in a packet.

use super::Fault;

/// Characters of a sentence of the database's own that are kept: it stands in one line.
const LONGEST_SENTENCE: usize = 200;

/// A value of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// None.
    Null,
    /// These bytes.
    Bytes(&'a [u8]),
}

/// What of a packet was not read yet.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    /// So many bytes.
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let (bytes, rest) = self.0.split_at_checked(count).ok_or(Fault::Strange)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// One byte.
    pub fn byte(&mut self) -> Result<u8, Fault> {
        Ok(self.bytes(1)?[0])
    }

    /// A text up to the zero behind it.
    pub fn until_zero(&mut self) -> Result<&'a [u8], Fault> {
        let at = self.0.iter().position(|byte| *byte == 0).ok_or(Fault::Strange)?;
        let text = self.bytes(at)?;
        self.bytes(1)?;
        Ok(text)
    }

    /// A number that says by its first byte how long it is.
    pub fn number(&mut self) -> Result<u64, Fault> {
        match self.byte()? {
            first @ 0..=250 => Ok(u64::from(first)),
            252 => self.little(2),
            253 => self.little(3),
            254 => self.little(8),
            251 | 255 => Err(Fault::Strange),
        }
    }

    /// A text with its length before it.
    pub fn text(&mut self) -> Result<&'a [u8], Fault> {
        let length = usize::try_from(self.number()?).map_err(|_| Fault::Strange)?;
        self.bytes(length)
    }

    /// A value of a row.
    pub fn value(&mut self) -> Result<Value<'a>, Fault> {
        if self.0.first() == Some(&251) {
            self.bytes(1)?;
            return Ok(Value::Null);
        }
        self.text().map(Value::Bytes)
    }

    fn little(&mut self, count: usize) -> Result<u64, Fault> {
        let mut number = [0; 8];
        number[..count].copy_from_slice(self.bytes(count)?);
        Ok(u64::from_le_bytes(number))
    }
}

/// The sentence of an error's packet.
pub fn refusal(packet: &[u8]) -> Fault {
    let text = packet.get(3..).unwrap_or_default();
    // Behind the number stands a word of six letters, once it is known which version is spoken.
    let text = if text.first() == Some(&b'#') { text.get(6..).unwrap_or_default() } else { text };
    let text = String::from_utf8_lossy(text);
    Fault::Refused(text.chars().filter(|c| !c.is_control()).take(LONGEST_SENTENCE).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_long_as_they_say() {
        for (bytes, number) in [
            (&[250][..], Ok(250)),
            (&[252, 1, 2], Ok(513)),
            (&[253, 1, 0, 1], Ok(65_537)),
            (&[254, 1, 0, 0, 0, 0, 0, 0, 1], Ok(1 << 56 | 1)),
            (&[251], Err(Fault::Strange)),
            (&[255], Err(Fault::Strange)),
            (&[252, 1], Err(Fault::Strange)),
            (&[], Err(Fault::Strange)),
        ] {
            assert_eq!(Fields(bytes).number(), number, "{bytes:?}");
        }
    }

    #[test]
    fn a_text_that_is_longer_than_its_packet_is_none() {
        assert_eq!(Fields(&[3, b'a', b'b']).text(), Err(Fault::Strange));
        assert_eq!(Fields(&[254, 255, 255, 255, 255, 255, 255, 255, 255]).text(), Err(Fault::Strange));
        assert_eq!(Fields(&[0]).value(), Ok(Value::Bytes(b"")));
        assert_eq!(Fields(&[251]).value(), Ok(Value::Null));
    }

    #[test]
    fn a_refusal_is_one_line_of_its_sentence() {
        let no = |packet: &[u8]| refusal(packet).to_string();
        assert_eq!(no(b"\xff\x15\x04#28000Access\ndenied"), "it says Accessdenied");
        assert_eq!(no(b"\xff\x10\x04Too many connections"), "it says Too many connections");
        assert_eq!(no(b"\xff"), "it says ");
    }
}
