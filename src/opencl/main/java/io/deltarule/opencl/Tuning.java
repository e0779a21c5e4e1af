package io.deltarule.opencl;

import java.io.IOException;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What is tuned for a device.
 *
 * @param large the tile of products that fill the device
 * @param small the tile of those that do not
 */
record Tuning(Tile large, Tile small) {
  private static final Logger LOG = LoggerFactory.getLogger(Tuning.class);
  private static final String KIND = "opencl-tuning";

  static Tuning standard(Device device) {
    return new Tuning(Tile.large(device), Tile.small(device));
  }

  static Path file(CacheFolder cache, Device device) {
    return cache.file(KIND, device.identity());
  }

  /** What was stored for this device and driver; the standard if there is nothing that fits. */
  static Tuning load(CacheFolder cache, Device device) {
    Path file = file(cache, device);
    try {
      if (Files.exists(file)) {
        Properties properties = new Properties();
        properties.load(new StringReader(Files.readString(file)));
        Tuning tuning = new Tuning(tile(properties, "large"), tile(properties, "small"));
        if (device.identity().equals(properties.getProperty("device"))
            && tuning.large.fits(device)
            && tuning.small.fits(device)) {
          return tuning;
        }
      }
    } catch (IOException | IllegalArgumentException e) {
      LOG.warn("opencl: the tuning in {} cannot be used: {}", file, e.getMessage());
    }
    return standard(device);
  }

  private static Tile tile(Properties properties, String name) {
    Map<String, Integer> numbers = new LinkedHashMap<>();
    for (String property : properties.stringPropertyNames()) {
      if (property.startsWith(name + ".")) {
        numbers.put(
            property.substring(name.length() + 1),
            Integer.valueOf(properties.getProperty(property)));
      }
    }
    return Tile.of(numbers);
  }

  void store(CacheFolder cache, Device device) throws IOException {
    StringBuilder text = new StringBuilder();
    text.append("# Written by: deltarule tune --engine opencl. May be deleted.\n");
    text.append("device=").append(device.identity().replace("\\", "\\\\")).append('\n');
    large.numbers().forEach((k, v) -> text.append("large.%s=%d%n".formatted(k, v)));
    small.numbers().forEach((k, v) -> text.append("small.%s=%d%n".formatted(k, v)));
    CacheFolder.writeFile(file(cache, device), text.toString().getBytes(StandardCharsets.UTF_8));
  }
}
