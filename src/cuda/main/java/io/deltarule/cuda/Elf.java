package io.deltarule.cuda;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * What the dynamic linker reads of a shared library: its own name and those of the libraries that
 * it needs. 64-bit little-endian files only. Whatever a file claims is checked against its length
 * first.
 */
final class Elf {
  // Offsets and values of the System V ABI, chapters 4 and 5, and of the LSB for symbol versions.
  private static final int MAGIC = 0x464c457f; // 0x7f E L F
  private static final int CLASS_64 = 2;
  private static final int LITTLE_ENDIAN = 1;
  private static final int PROGRAM_HEADER_BYTES = 56;
  private static final int DYNAMIC_ENTRY_BYTES = 16;
  private static final int PT_LOAD = 1;
  private static final int PT_DYNAMIC = 2;
  private static final long DT_NULL = 0;
  private static final long DT_NEEDED = 1;
  private static final long DT_STRTAB = 5;
  private static final long DT_STRSZ = 10;
  private static final long DT_SONAME = 14;
  private static final long DT_VERNEED = 0x6ffffffeL;

  /** A part of the file, and where it lies in memory once loaded. */
  private record Segment(long address, long offset, long bytes) {}

  private record DynamicEntry(long tag, long value) {}

  private final ByteBuffer file;
  private final List<Segment> loaded = new ArrayList<>();
  private final List<DynamicEntry> dynamic = new ArrayList<>();
  private final long strings; // offset of the string table
  private final long stringsEnd;

  /**
   * Reads the headers.
   *
   * @param bytes the whole file, of which the position and the limit are ignored
   * @throws IOException if it is no such library, or cut off
   */
  Elf(ByteBuffer bytes) throws IOException {
    file = bytes.duplicate().clear().order(ByteOrder.LITTLE_ENDIAN);
    if (file.capacity() < 64
        || file.getInt(0) != MAGIC
        || file.get(4) != CLASS_64
        || file.get(5) != LITTLE_ENDIAN) {
      throw new IOException("not a 64-bit little-endian ELF file");
    }
    readSegments();
    strings = offset(value(DT_STRTAB));
    stringsEnd = end(strings, value(DT_STRSZ), "the string table");
  }

  /**
   * Reads the headers of a file, which stays on disk.
   *
   * @throws IOException if it cannot be read, is no such library, or is cut off
   */
  static Elf of(Path path) throws IOException {
    try (FileChannel channel = FileChannel.open(path)) {
      if (channel.size() > Integer.MAX_VALUE) {
        throw new IOException("larger than 2 GiB");
      }
      return new Elf(channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size()));
    }
  }

  private void readSegments() throws IOException {
    long header = u64(32);
    int headerBytes = u16(54);
    int headers = u16(56);
    if (headerBytes != PROGRAM_HEADER_BYTES) {
      throw new IOException("program headers of " + headerBytes + " bytes");
    }
    for (int i = 0; i < headers; i++, header += PROGRAM_HEADER_BYTES) {
      long offset = u64(header + 8);
      long bytes = u64(header + 32);
      switch (i32(header)) {
        case PT_LOAD -> {
          // Loading what is cut off would end the process at the first access behind the end.
          end(offset, bytes, "a segment");
          loaded.add(new Segment(u64(header + 16), offset, bytes));
        }
        case PT_DYNAMIC -> readDynamic(offset, end(offset, bytes, "the dynamic section"));
        default -> {}
      }
    }
  }

  private void readDynamic(long from, long to) throws IOException {
    for (long at = from; at + DYNAMIC_ENTRY_BYTES <= to; at += DYNAMIC_ENTRY_BYTES) {
      DynamicEntry entry = new DynamicEntry(u64(at), u64(at + 8));
      if (entry.tag == DT_NULL) {
        return;
      }
      dynamic.add(entry);
    }
  }

  /** The name by which other libraries ask for this one. */
  String soname() throws IOException {
    return string(value(DT_SONAME));
  }

  /** The names of the libraries that this one needs. */
  List<String> needed() throws IOException {
    List<String> names = new ArrayList<>();
    for (DynamicEntry entry : dynamic) {
      if (entry.tag == DT_NEEDED) {
        names.add(string(entry.value));
      }
    }
    return names;
  }

  /**
   * Makes it need another library in place of one, and that library's symbol version of the other's
   * name in place of the one's. Changes the bytes that it was made of.
   *
   * @param name of the library that is needed
   * @param other as many characters
   * @throws IOException if it does not need that library, with that symbol version
   */
  void replaceNeeded(String name, String other) throws IOException {
    if (name.length() != other.length()) {
      throw new IllegalArgumentException(other + " is not as long as " + name);
    }
    if (!needed().contains(name)) {
      throw new IOException("needs " + needed() + ", not " + name);
    }
    // All references are found before the first string, which they may share, is changed.
    List<Long> names = new ArrayList<>();
    List<Long> hashes = new ArrayList<>();
    for (DynamicEntry entry : dynamic) {
      if (entry.tag == DT_NEEDED && string(entry.value).equals(name)) {
        names.add(entry.value);
      }
    }
    findVersions(name, names, hashes);
    if (hashes.isEmpty()) {
      throw new IOException("needs no symbol version " + name);
    }
    byte[] text = other.getBytes(StandardCharsets.US_ASCII);
    for (long at : names) {
      file.put((int) (strings + at), text);
    }
    for (long at : hashes) {
      file.putInt((int) at, hash(other));
    }
  }

  /**
   * Walks the needed libraries, and for each the versions of its symbols that are needed. Offsets
   * to the next are unsigned, and 0 at the end: each walk ends.
   */
  private void findVersions(String name, List<Long> names, List<Long> hashes) throws IOException {
    long need = offset(value(DT_VERNEED));
    long nextNeed;
    do {
      long fileName = u32(need + 4);
      if (string(fileName).equals(name)) {
        names.add(fileName);
      }
      long version = need + u32(need + 8);
      long nextVersion;
      do {
        long versionName = u32(version + 8);
        if (string(versionName).equals(name)) {
          names.add(versionName);
          hashes.add(version);
        }
        nextVersion = u32(version + 12);
        version += nextVersion;
      } while (nextVersion != 0);
      nextNeed = u32(need + 12);
      need += nextNeed;
    } while (nextNeed != 0);
  }

  /** The ABI's hash of a symbol's or a version's name. */
  static int hash(String name) {
    int hash = 0;
    for (byte c : name.getBytes(StandardCharsets.US_ASCII)) {
      hash = (hash << 4) + c;
      int high = hash & 0xf0000000;
      hash = (hash ^ (high >>> 24)) & ~high;
    }
    return hash;
  }

  private long value(long tag) throws IOException {
    for (DynamicEntry entry : dynamic) {
      if (entry.tag == tag) {
        return entry.value;
      }
    }
    throw new IOException("no dynamic entry 0x" + Long.toHexString(tag));
  }

  /** Where in the file lies what is loaded to an address. */
  private long offset(long address) throws IOException {
    for (Segment segment : loaded) {
      long within = address - segment.address;
      if (within >= 0 && within < segment.bytes) {
        return segment.offset + within;
      }
    }
    throw new IOException("address 0x" + Long.toHexString(address) + " is not in the file");
  }

  private String string(long at) throws IOException {
    long from = strings + at;
    if (at >= 0 && from < stringsEnd) {
      for (long to = from; to < stringsEnd; to++) {
        if (file.get((int) to) == 0) {
          byte[] text = new byte[(int) (to - from)];
          file.get((int) from, text);
          return new String(text, StandardCharsets.ISO_8859_1);
        }
      }
    }
    throw new IOException("string " + at + " does not end in the string table");
  }

  /** The end of a range, which lies within the file. */
  private long end(long offset, long bytes, String what) throws IOException {
    if (offset < 0 || bytes < 0 || offset > file.capacity() - bytes) {
      throw new IOException(
          "cut off: %s of %d bytes at %d, but the file has %d"
              .formatted(what, bytes, offset, file.capacity()));
    }
    return offset + bytes;
  }

  private int at(long offset, int bytes) throws IOException {
    end(offset, bytes, "a field");
    return (int) offset;
  }

  private int u16(long offset) throws IOException {
    return Short.toUnsignedInt(file.getShort(at(offset, 2)));
  }

  private int i32(long offset) throws IOException {
    return file.getInt(at(offset, 4));
  }

  private long u32(long offset) throws IOException {
    return Integer.toUnsignedLong(i32(offset));
  }

  /** Anything beyond the positive range of long is negative, and so out of every bound. */
  private long u64(long offset) throws IOException {
    return file.getLong(at(offset, 8));
  }
}
