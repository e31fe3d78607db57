use std::io::Read;

use super::*;

fn samples() -> Vec<Vec<u8>> {
    let noise: Vec<u8> = (0..200_000_u64).map(|n| (Digest::of(&n.to_le_bytes())).0[0]).collect();
    vec![Vec::new(), b"x".to_vec(), b"abc ".repeat(50_000), noise, vec![0; 65_535], vec![7; 65_536], vec![1; 131_073]]
}

#[test]
fn every_frame_is_read_back_alone_and_in_a_stream() {
    for compression in [Compression::Gzip, Compression::Zstd] {
        let mut encoder = FrameEncoder::new(compression, compression.default_level()).unwrap();
        let mut decoder = FrameDecoder::new(compression).unwrap();
        let mut all = Vec::new();
        let mut stream = Vec::new();
        for content in samples() {
            let stored = stored_frame(compression, &content);
            assert_eq!(stored.len(), stored_frame_len(compression, content.len()));
            for frame in [encoder.frame(&content).unwrap(), stored] {
                let mut back = Vec::new();
                decoder.decode(&frame, content.len(), &mut back).unwrap();
                assert_eq!(back, content);
                all.extend_from_slice(&content);
                stream.extend_from_slice(&frame);
            }
        }
        assert_eq!(detect(&stream), Some(compression));
        let mut back = Vec::new();
        StreamDecoder::new(compression, &stream[..]).unwrap().read_to_end(&mut back).unwrap();
        assert_eq!(back, all);
    }
}

#[test]
fn a_flipped_bit_or_a_wrong_length_is_damage() {
    for compression in [Compression::Gzip, Compression::Zstd] {
        let content = b"some text that compresses, some text that compresses".repeat(20);
        let mut frame = FrameEncoder::new(compression, 3).unwrap().frame(&content).unwrap();
        let mut decoder = FrameDecoder::new(compression).unwrap();
        let mut back = Vec::new();
        for wrong in [content.len() - 1, content.len() + 1] {
            assert_eq!(decoder.decode(&frame, wrong, &mut back).unwrap_err().kind(), crate::ErrorKind::Damaged);
        }
        let middle = frame.len() / 2;
        frame[middle] ^= 0x10;
        assert_eq!(decoder.decode(&frame, content.len(), &mut back).unwrap_err().kind(), crate::ErrorKind::Damaged);
    }
}

#[test]
fn noise_looks_compressed_and_text_does_not() {
    let samples = samples();
    assert!(looks_compressed(&samples[3]));
    assert!(!looks_compressed(&samples[2]));
    let mixed: Vec<u8> = b"header ".repeat(300).into_iter().chain(samples[3].iter().copied()).collect();
    assert!(looks_compressed(&mixed), "a text header does not deceive");
}

#[test]
fn digests_are_hex_both_ways() {
    let digest = Digest::of(b"");
    assert_eq!(digest.to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
    assert!("zz".parse::<Digest>().is_err());
    assert!("é".repeat(32).parse::<Digest>().is_err());
}
