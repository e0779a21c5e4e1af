package io.deltarule.data;

import de.siegmar.fastcsv.reader.CsvParseException;
import de.siegmar.fastcsv.reader.CsvReader;
import de.siegmar.fastcsv.reader.FieldMismatchStrategy;
import io.deltarule.data.CsvOptions.Header;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Reads CSV files. */
final class CsvLoader {
  private static final int MAX_CELL = 1 << 20; // characters
  private static final int MAX_ARRAY = Integer.MAX_VALUE - 8;
  private static final int NONE = -1;
  private static final int NAMES_SHOWN = 10;
  private static final Set<String> MISSING =
      Set.of("?", "-", ".", "na", "n/a", "#n/a", "null", "none", "missing", "unknown");
  private static final Set<String> NOT_FINITE =
      Set.of("nan", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity");

  private final Input input;
  private final String source;
  private final CsvOptions options;
  private final Optional<Layout> layout;
  private boolean header;
  private long firstLine;
  private List<String> names; // of all columns in the file
  private int label = NONE; // the label column, whether it is wanted or not
  private int[] columns; // [features] the file's column of each feature

  private CsvLoader(Input input, CsvOptions options, Optional<Layout> layout) {
    this.input = input;
    this.source = input.source();
    this.options = options;
    this.layout = layout;
  }

  /**
   * Reads a file: all columns and the label, or those of the layout.
   *
   * @throws InputException whatever is wrong with it
   */
  static Dataset read(Input input, CsvOptions options, Optional<Layout> layout) throws IOException {
    return new CsvLoader(input, options, layout).read();
  }

  private Dataset read() throws IOException {
    CsvRow row = new CsvRow(source);
    try (CsvReader<CsvRow> csv =
        CsvReader.builder()
            .fieldSeparator(options.delimiter().orElse(detectDelimiter()))
            .allowUnclosedQuote(false)
            .maxBufferSize(MAX_CELL)
            // Checked below, where the message can name the file.
            .extraFieldStrategy(FieldMismatchStrategy.IGNORE)
            .missingFieldStrategy(FieldMismatchStrategy.IGNORE)
            .build(row, new Utf8Reader(source, input.content()))) {
      return read(csv.iterator());
    } catch (UncheckedIOException e) {
      throw e.getCause();
    } catch (CsvParseException e) {
      // Whatever the reader or the row below it throws comes up as a cause.
      if (e.getCause() instanceof InputException cause) {
        throw cause;
      }
      if (e.getCause() instanceof Error cause) {
        throw cause;
      }
      throw malformed(row.line(), e);
    }
  }

  private InputException malformed(long line, CsvParseException e) {
    String detail = String.valueOf(e.getMessage());
    String what =
        detail.startsWith("Unclosed")
            ? "a quote is opened and not closed"
            : detail.startsWith("Unexpected character after closing quote")
                ? "text after a closing quote; write a quote within quotes twice"
                : "a cell of more than %d characters; is a quote not closed?".formatted(MAX_CELL);
    return new InputException(source + ":" + Math.max(line, 1) + ": " + what, e);
  }

  private char detectDelimiter() throws IOException {
    int[] counts = new int[3];
    String candidates = ",;\t";
    boolean quoted = false;
    boolean started = false;
    for (byte b : input.peek(1 << 16)) {
      if (b == '"') {
        quoted = !quoted;
      } else if (!quoted && (b == '\n' || b == '\r')) {
        if (started) {
          break;
        }
        continue; // blank lines before the first
      } else if (!quoted && candidates.indexOf(b) >= 0) {
        counts[candidates.indexOf(b)]++;
      }
      started = true;
    }
    int best = 0;
    for (int i = 1; i < counts.length; i++) {
      best = counts[i] > counts[best] ? i : best;
    }
    return candidates.charAt(best);
  }

  private Dataset read(Iterator<CsvRow> rows) throws IOException {
    CsvRow row = next(rows);
    if (row == null) {
      throw new InputException(source + ": the file is empty");
    }
    firstLine = row.line();
    header = isHeader(row);
    names = names(row);
    if (layout.isPresent()) {
      select(layout.get());
    } else {
      selectAll();
    }
    if (header) {
      row = next(rows);
      if (row == null) {
        throw new InputException(source + ": a header, but no rows below it");
      }
    }
    boolean labelled = label != NONE && layout.map(Layout::labelled).orElse(true);
    LabelColumn.Lines lines = new LabelColumn.Lines();
    LabelColumn.Builder labels =
        labelled ? new LabelColumn.Builder(source, names.get(label), lines) : null;
    int inputs = columns.length;
    float[] features = new float[Math.max(inputs, 1 << 14)];
    int used = 0;
    int count = 0;
    for (; row != null; row = next(rows)) {
      if (row.cells() != names.size()) {
        throw new InputException(
            "%s:%d: %d cells, expected %d as in line %d"
                .formatted(source, row.line(), row.cells(), names.size(), firstLine));
      }
      if (used > features.length - inputs) {
        features = grow(features, inputs);
      }
      for (int column : columns) {
        float value = row.number(column);
        if (!Float.isFinite(value)) {
          throw unusable(row, column, value);
        }
        features[used++] = value;
      }
      if (labelled) {
        lines.add(row.line());
        String text = row.text(label);
        if (text.isEmpty()) {
          throw unusable(row, label, 0);
        }
        labels.add(text);
      }
      count++;
    }
    LabelColumn column = labelled ? labels.build() : null;
    if (layout.isEmpty() && options.header() == Header.AUTO && !header) {
      requireNoName(column);
    }
    return new Dataset(
        source,
        count,
        layout.map(Layout::features).orElseGet(() -> namesOf(columns)),
        used == features.length ? features : Arrays.copyOf(features, used),
        Optional.ofNullable(column),
        header,
        false,
        input.sha256());
  }

  // A line of names some of which are numbers is taken for data: as a class or a number too many.
  private void requireNoName(LabelColumn labels) {
    if (labels.firstStandsOut()) {
      throw new InputException(
          "%s: %s stands in no other row; pass --header yes if this line holds the columns' names,"
                  .formatted(labels.describe(0), InputException.quote(labels.text(0)))
              + " --header no if it does not");
    }
  }

  private static CsvRow next(Iterator<CsvRow> rows) {
    while (rows.hasNext()) {
      CsvRow row = rows.next();
      if (!row.isBlank()) {
        return row;
      }
    }
    return null;
  }

  private float[] grow(float[] features, int inputs) {
    long length =
        Math.min(MAX_ARRAY, Math.max(features.length * 3L / 2, features.length + 1L + inputs));
    if (length - features.length < inputs) {
      throw new InputException(
          "%s: more than %d numbers do not fit one array; split the file"
              .formatted(source, MAX_ARRAY));
    }
    return Arrays.copyOf(features, (int) length);
  }

  private boolean isHeader(CsvRow row) {
    if (options.header() != Header.AUTO) {
      return options.header() == Header.YES;
    }
    List<String> cells = IntStream.range(0, row.cells()).mapToObj(row::text).toList();
    // Names that are numbers are still names where the model knows them.
    return layout.filter(l -> Set.copyOf(cells).containsAll(l.features())).isPresent()
        || cells.stream().allMatch(cell -> Double.isNaN(Numbers.parseDouble(cell)));
  }

  private List<String> names(CsvRow row) {
    List<String> all = new ArrayList<>();
    Map<String, Integer> seen = new HashMap<>();
    for (int c = 0; c < row.cells(); c++) {
      String text = header ? row.text(c) : "";
      String name = text.isEmpty() ? "c" + (c + 1) : text;
      Integer before = seen.putIfAbsent(name, c);
      if (before != null) {
        throw new InputException(
            "%s:%d: columns %d and %d are both named %s; rename one"
                .formatted(source, row.line(), before + 1, c + 1, InputException.quote(name)));
      }
      all.add(name);
    }
    return all;
  }

  private List<String> namesOf(int[] which) {
    return Arrays.stream(which).mapToObj(names::get).toList();
  }

  private void selectAll() {
    int width = names.size();
    if (width < 2) {
      throw new InputException(
          ("%s:%d: one column only (%s), but a label and at least one feature are needed; columns"
                  + " are separated by comma, semicolon or tab")
              .formatted(source, firstLine, InputException.quote(names.get(0))));
    }
    label = options.label().map(this::find).orElse(width - 1);
    columns = IntStream.range(0, width).filter(c -> c != label).toArray();
  }

  private void select(Layout wanted) {
    Map<String, Integer> index =
        IntStream.range(0, names.size()).boxed().collect(Collectors.toMap(names::get, c -> c));
    boolean byName = header && (wanted.header() || index.keySet().containsAll(wanted.features()));
    if (options.label().isPresent()) {
      label = find(options.label().get());
    } else if (byName) {
      label = index.getOrDefault(wanted.label(), NONE);
    } else if (names.size() == wanted.features().size() + 1) {
      label = placeOfLabel(wanted, index);
    }
    if (byName) {
      columns = wanted.features().stream().mapToInt(name -> require(index, name)).toArray();
    } else {
      columns = IntStream.range(0, names.size()).filter(c -> c != label).toArray();
      if (columns.length != wanted.features().size()) {
        throw new InputException(
            "%s:%d: %d columns; the model has %d features (and the file may have a label column)"
                .formatted(source, firstLine, names.size(), wanted.features().size()));
      }
    }
    if (wanted.labelled() && label == NONE) {
      throw new InputException(
          "%s:%d: no label column%s; %s"
              .formatted(
                  source,
                  firstLine,
                  byName ? " " + InputException.quote(wanted.label()) : "",
                  byName ? available() : "all columns are features of the model"));
    }
    if (label != NONE && Arrays.stream(columns).anyMatch(c -> c == label)) {
      throw new InputException(
          "%s:%d: the label column %s is a feature of the model; pass another --label"
              .formatted(source, firstLine, InputException.quote(names.get(label))));
    }
  }

  // Without names, only a model that never had any tells which column is the label: to guess would
  // be to shift the features unnoticed.
  private int placeOfLabel(Layout wanted, Map<String, Integer> index) {
    if (header && index.containsKey(wanted.label())) {
      return index.get(wanted.label());
    }
    int place = wanted.header() ? NONE : generatedNames(names.size()).indexOf(wanted.label());
    if (place == NONE) {
      throw new InputException(
          ("%s:%d: %d columns for the model's %d features, and which of them is the label %s is not"
                  + " known without names; put the header's line first, or pass --label PLACE")
              .formatted(
                  source,
                  firstLine,
                  names.size(),
                  wanted.features().size(),
                  InputException.quote(wanted.label())));
    }
    return place;
  }

  private static List<String> generatedNames(int width) {
    return IntStream.rangeClosed(1, width).mapToObj(place -> "c" + place).toList();
  }

  private int require(Map<String, Integer> index, String name) {
    Integer column = index.get(name);
    if (column == null) {
      throw new InputException(
          "%s:%d: no column %s, which the model was trained on; %s"
              .formatted(source, firstLine, InputException.quote(name), available()));
    }
    return column;
  }

  private int find(String wanted) {
    int column = names.indexOf(wanted);
    if (column < 0 && wanted.matches("[+-]?[0-9]{1,9}")) {
      int place = Integer.parseInt(wanted);
      column = place > 0 ? place - 1 : place < 0 ? names.size() + place : NONE;
    }
    if (column < 0 || column >= names.size()) {
      throw new InputException(
          "%s:%d: no column %s; %s"
              .formatted(source, firstLine, InputException.quote(wanted), available()));
    }
    return column;
  }

  private String available() {
    String shown =
        names.stream()
            .limit(NAMES_SHOWN)
            .map(InputException::quote)
            .collect(Collectors.joining(", "));
    return names.size() <= NAMES_SHOWN
        ? "the columns are " + shown
        : "the %d columns are %s, ...".formatted(names.size(), shown);
  }

  private InputException unusable(CsvRow row, int column, float value) {
    String text = row.text(column);
    String lower = text.toLowerCase(Locale.ROOT);
    String shown = InputException.quote(text);
    String what;
    if (text.isEmpty()) {
      what = "empty cell; fill it in or remove the row";
    } else if (Float.isInfinite(value)) {
      what = shown + " is beyond the range of float (3.4e38); rescale the column";
    } else if (NOT_FINITE.contains(lower)) {
      what = shown + " is not a finite number; replace it or remove the row";
    } else if (MISSING.contains(lower)) {
      what = shown + " stands for a missing value; fill it in or remove the row";
    } else if (text.matches("[+-]?[0-9]+,[0-9]+")) {
      what = shown + " is not a number; write a decimal point for the comma";
    } else if (!header && options.header() == Header.AUTO && row.line() == firstLine) {
      what = shown + " is not a number; if this line holds the columns' names pass --header yes";
    } else {
      what = shown + " is not a number; encode the column as numbers or remove it";
    }
    return new InputException(
        "%s:%d: column %s: %s"
            .formatted(source, row.line(), InputException.quote(names.get(column)), what));
  }
}
