package io.deltarule.app;

import io.deltarule.data.Normalization;
import io.deltarule.engine.Activation;
import io.deltarule.engine.Output;
import io.deltarule.engine.Precision;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** From option texts to values; what is wrong is said by the option and the text. */
final class Converters {
  private Converters() {}

  private static <T> T convert(Function<String, T> function, String text) {
    try {
      return function.apply(text);
    } catch (IllegalArgumentException e) {
      throw new TypeConversionException(e.getMessage());
    }
  }

  static final class OfPrecision implements ITypeConverter<Precision> {
    @Override
    public Precision convert(String text) {
      return Converters.convert(Precision::of, text);
    }
  }

  static final class OfOutput implements ITypeConverter<Output> {
    @Override
    public Output convert(String text) {
      return Converters.convert(Output::of, text);
    }
  }

  static final class OfActivation implements ITypeConverter<Activation> {
    @Override
    public Activation convert(String text) {
      return Converters.convert(Activation::of, text);
    }
  }

  static final class OfNormalization implements ITypeConverter<Normalization> {
    @Override
    public Normalization convert(String text) {
      return Converters.convert(Normalization::of, text);
    }
  }

  static final class Delimiter implements ITypeConverter<Character> {
    @Override
    public Character convert(String text) {
      if (text.equalsIgnoreCase("tab")) {
        return '\t';
      }
      if (text.length() != 1) {
        throw new TypeConversionException("'" + text + "' is not one character, and not tab");
      }
      return text.charAt(0);
    }
  }

  static final class Positive implements ITypeConverter<Integer> {
    @Override
    public Integer convert(String text) {
      return atLeast(1, text);
    }
  }

  static final class NotNegative implements ITypeConverter<Integer> {
    @Override
    public Integer convert(String text) {
      return atLeast(0, text);
    }
  }

  /** A real number that is at least 0 and finite. */
  static final class Size implements ITypeConverter<Double> {
    @Override
    public Double convert(String text) {
      double value = real(text);
      if (!(value >= 0) || Double.isInfinite(value)) {
        throw new TypeConversionException("'" + text + "' is not a finite number of at least 0");
      }
      return value;
    }
  }

  /** A share of rows, at least 0 and below 1. */
  static final class Share implements ITypeConverter<Double> {
    @Override
    public Double convert(String text) {
      double value = real(text);
      if (!(value >= 0 && value < 1)) {
        throw new TypeConversionException("'" + text + "' is not at least 0 and below 1");
      }
      return value;
    }
  }

  /** The units of hidden layers, such as {@code 64,32}; {@code none} for no hidden layer. */
  static final class Hidden implements ITypeConverter<Widths> {
    @Override
    public Widths convert(String text) {
      return new Widths(text.equals("none") ? List.of() : units(text, ","));
    }
  }

  /** The widths of a whole stack, such as {@code 30-64-32-1}. */
  static final class Stack implements ITypeConverter<Widths> {
    @Override
    public Widths convert(String text) {
      List<Integer> widths = units(text, "-");
      if (widths.size() < 2) {
        throw new TypeConversionException(
            "'" + text + "' is no stack; give inputs, hidden units and outputs such as 30-64-32-1");
      }
      return new Widths(widths);
    }
  }

  private static List<Integer> units(String text, String separator) {
    List<Integer> units = new ArrayList<>();
    for (String part : text.split(separator, -1)) {
      units.add(atLeast(1, part.strip()));
    }
    return units;
  }

  private static int atLeast(int least, String text) {
    try {
      int value = Integer.parseInt(text);
      if (value >= least) {
        return value;
      }
    } catch (NumberFormatException e) {
      // said below
    }
    throw new TypeConversionException("'" + text + "' is not a whole number of at least " + least);
  }

  private static double real(String text) {
    try {
      return Double.parseDouble(text);
    } catch (NumberFormatException e) {
      throw new TypeConversionException("'" + text + "' is not a number");
    }
  }
}
