package io.deltarule.opencl;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Files that make a later start faster. An entry carries the hash of its key and content, so that a
 * truncated, altered or renamed one is no entry. What cannot be read or written is done without.
 */
final class CacheFolder {
  private static final Logger LOG = LoggerFactory.getLogger(CacheFolder.class);
  private static final int HASH_BYTES = 32;

  private final Path folder;

  CacheFolder(Path folder) {
    this.folder = folder;
  }

  /** The user's own: {@code $XDG_CACHE_HOME/deltarule}, else {@code ~/.cache/deltarule}. */
  static CacheFolder ofUser() {
    String xdg = System.getenv("XDG_CACHE_HOME");
    Path caches =
        xdg != null && Path.of(xdg).isAbsolute()
            ? Path.of(xdg)
            : Path.of(System.getProperty("user.home"), ".cache");
    return new CacheFolder(caches.resolve("deltarule"));
  }

  /** One that keeps nothing. */
  static CacheFolder none() {
    return new CacheFolder(null);
  }

  Path file(String kind, String key) {
    byte[] hash = hash(key, new byte[0]);
    return folder.resolve(
        kind + "-" + HexFormat.of().formatHex(Arrays.copyOf(hash, HASH_BYTES / 2)));
  }

  Optional<byte[]> read(String kind, String key) {
    if (folder == null) {
      return Optional.empty();
    }
    try {
      byte[] entry = Files.readAllBytes(file(kind, key));
      if (entry.length >= HASH_BYTES) {
        byte[] content = Arrays.copyOfRange(entry, HASH_BYTES, entry.length);
        if (Arrays.equals(hash(key, content), Arrays.copyOf(entry, HASH_BYTES))) {
          return Optional.of(content);
        }
      }
      LOG.debug("the cache entry {} is damaged and made anew", file(kind, key));
    } catch (IOException | SecurityException e) {
      LOG.debug("no cache entry: {}", e.toString());
    }
    return Optional.empty();
  }

  void write(String kind, String key, byte[] content) {
    if (folder == null) {
      return;
    }
    byte[] entry = Arrays.copyOf(hash(key, content), HASH_BYTES + content.length);
    System.arraycopy(content, 0, entry, HASH_BYTES, content.length);
    try {
      writeFile(file(kind, key), entry);
    } catch (IOException | SecurityException e) {
      LOG.debug("the cache cannot be written: {}", e.toString());
    }
  }

  /** Writes a whole file or nothing: several processes may do so at once. */
  static void writeFile(Path file, byte[] content) throws IOException {
    Files.createDirectories(file.getParent());
    Path temporary = Files.createTempFile(file.getParent(), "new", ".tmp");
    try {
      Files.write(temporary, content);
      Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      Files.deleteIfExists(temporary);
    }
  }

  private static byte[] hash(String key, byte[] content) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      digest.update(key.getBytes(StandardCharsets.UTF_8));
      digest.update((byte) 0);
      return digest.digest(content);
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e); // every Java has it
    }
  }
}
