package io.deltarule.app;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** One run of the command line within this process. */
record Cli(int status, String out, String err) {
  /** The quick-start data: tests run in the module's folder. */
  static final Path WDBC = Path.of("../../examples/wdbc.csv");

  static Cli run(Object... arguments) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    String[] texts = new String[arguments.length];
    for (int i = 0; i < texts.length; i++) {
      texts[i] = arguments[i].toString();
    }
    int status = Main.run(new PrintWriter(out), new PrintWriter(err), texts);
    return new Cli(status, out.toString(), err.toString());
  }

  /** Asserts success. */
  Cli done() {
    assertEquals(Main.DONE, status, err);
    return this;
  }

  /** Asserts one line of complaint and exit status 2. */
  String unusable() {
    assertEquals(Main.UNUSABLE, status, out + err);
    assertEquals(1, err.lines().count(), err);
    assertFalse(err.contains("\tat "), err);
    return err;
  }

  /** The numbers and texts of the JSON object in the last line; what is nested is left out. */
  Map<String, Object> json() {
    String last = out.lines().reduce((a, b) -> b).orElseThrow();
    Map<String, Object> values = new LinkedHashMap<>();
    try (JsonParser json = new JsonFactory().createParser(last)) {
      assertEquals(JsonToken.START_OBJECT, json.nextToken());
      while (json.nextToken() != JsonToken.END_OBJECT) {
        String name = json.currentName();
        switch (json.nextToken()) {
          case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> values.put(name, json.getDoubleValue());
          case VALUE_STRING -> values.put(name, json.getText());
          case VALUE_TRUE, VALUE_FALSE -> values.put(name, json.getBooleanValue());
          default -> json.skipChildren();
        }
      }
    } catch (IOException e) {
      throw new AssertionError(last, e);
    }
    return values;
  }

  double number(String name) {
    return (double) json().get(name);
  }

  static Path write(Path path, String text) {
    try {
      return Files.writeString(path, text);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }
}
