package io.deltarule.bench;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Properties;

/** The version of a library that says it nowhere else than in its jar's Maven files. */
public final class MavenVersion {
  private MavenVersion() {}

  /**
   * Reads the version.
   *
   * @param type a class of the library
   * @param artifact such as {@code com.deepnetts/deepnetts-core}
   * @return the version
   */
  public static String of(Class<?> type, String artifact) {
    Properties properties = new Properties();
    String file = "/META-INF/maven/" + artifact + "/pom.properties";
    try (InputStream in = type.getResourceAsStream(file)) {
      properties.load(in);
    } catch (IOException e) {
      throw new UncheckedIOException("reading " + file, e);
    }
    return properties.getProperty("version");
  }
}
