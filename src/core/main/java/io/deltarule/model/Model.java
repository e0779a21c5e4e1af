package io.deltarule.model;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import io.deltarule.data.InputException;
import io.deltarule.data.Layout;
import io.deltarule.data.Normalization;
import io.deltarule.data.Standardizer;
import io.deltarule.data.TargetEncoding;
import io.deltarule.engine.Activation;
import io.deltarule.engine.Output;
import io.deltarule.model.Safetensors.Tensor;
import io.deltarule.network.Network;
import io.deltarule.network.Parameters;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;

/**
 * A trained network with all that is needed to use it on a file: its columns, their normalisation
 * and what its output means. Predictions of a {@link Output#LINEAR} model are in the unit of the
 * label: {@link TargetEncoding#decode}.
 *
 * <p>Its file is safetensors. Tensors: {@code layers.N.weight} [units x inputs], {@code
 * layers.N.bias} [units] for each layer N from 0; {@code input.mean} and {@code input.deviation}
 * [inputs]. Metadata:
 *
 * <pre>{@code
 * format                deltarule
 * version               1
 * network.inputs        30
 * network.hidden        [64,32]
 * network.activation    relu
 * network.outputs       1
 * network.output        sigmoid
 * input.normalization   column
 * target.classes        ["B","M"]; [] for a linear output
 * target.mean           152.1; for a linear output only
 * target.deviation      77.0; the same
 * features              ["mean_radius",...]
 * label                 target
 * header                true if these names stand in the training file
 * provenance.KEY        for each key of the provenance, such as engine, device, seed
 * }</pre>
 *
 * @param network the stack of layers
 * @param parameters its numbers, all finite
 * @param inputs the normalisation of the features
 * @param targets the meaning of the output
 * @param featureNames one per input
 * @param labelName the label column's name
 * @param header whether the names stand in the training file, as opposed to generated ones
 * @param provenance how it was trained: texts by key
 */
public record Model(
    Network network,
    Parameters parameters,
    Standardizer inputs,
    TargetEncoding targets,
    List<String> featureNames,
    String labelName,
    boolean header,
    Map<String, String> provenance) {

  private static final String FORMAT = "deltarule";
  private static final String TARGET_MEAN = "target.mean";
  private static final String TARGET_DEVIATION = "target.deviation";
  private static final String VERSION = "1";
  private static final String PROVENANCE = "provenance.";
  private static final JsonFactory JSON = new JsonFactory();

  /**
   * Checks the parts against each other.
   *
   * @param network as above
   * @param parameters as above
   * @param inputs as above
   * @param targets as above
   * @param featureNames as above
   * @param labelName as above
   * @param header as above
   * @param provenance as above
   * @throws IllegalArgumentException naming what does not fit
   */
  public Model {
    featureNames = List.copyOf(featureNames);
    provenance = Collections.unmodifiableMap(new LinkedHashMap<>(provenance));
    Objects.requireNonNull(labelName);
    if (!parameters.network().equals(network)) {
      throw new IllegalArgumentException(
          "parameters of %s for %s".formatted(parameters.network(), network));
    }
    if (inputs.columns() != network.inputs() || featureNames.size() != network.inputs()) {
      throw new IllegalArgumentException(
          "normalisation of %d columns and %d names for %d inputs"
              .formatted(inputs.columns(), featureNames.size(), network.inputs()));
    }
    if (targets.output() != network.output() || targets.columns() != network.outputs()) {
      throw new IllegalArgumentException(
          "%d %s targets for %s"
              .formatted(targets.columns(), targets.output().spelling(), network));
    }
    for (int l = 0; l < network.layers(); l++) {
      requireFinite("weights of layer " + l, parameters.weights()[l]);
      requireFinite("biases of layer " + l, parameters.biases()[l]);
    }
  }

  private static void requireFinite(String what, float[] values) {
    for (float value : values) {
      if (!Float.isFinite(value)) {
        throw new IllegalArgumentException(what + " hold " + value);
      }
    }
  }

  /**
   * The columns that the model expects of a file.
   *
   * @param labelled whether labels are to be read too
   * @return for {@link io.deltarule.data.Datasets#read}
   */
  public Layout layout(boolean labelled) {
    return new Layout(featureNames, labelName, header, labelled);
  }

  /**
   * Proves, before it is trained, that a model can be saved.
   *
   * @param target where to
   * @param network of the model
   * @throws InputException if a file of its size cannot be written there
   */
  public static void requireWritable(Path target, Network network) {
    // The header: generously for names, classes and provenance, which are not known yet.
    long header = (1 << 16) + 64L * (network.inputs() + network.outputs());
    AtomicFile.requireWritable(
        target, header + Float.BYTES * (network.parameters() + 2L * network.inputs() + 2));
  }

  /**
   * Writes the model, whole or not at all.
   *
   * @param target a regular file to replace, or nothing yet
   * @throws InputException if it cannot be written
   */
  public void save(Path target) {
    Map<String, String> metadata = new LinkedHashMap<>();
    metadata.put("format", FORMAT);
    metadata.put("version", VERSION);
    metadata.put("network.inputs", String.valueOf(network.inputs()));
    metadata.put("network.hidden", network.hidden().toString().replace(" ", ""));
    metadata.put("network.activation", network.activation().spelling());
    metadata.put("network.outputs", String.valueOf(network.outputs()));
    metadata.put("network.output", network.output().spelling());
    metadata.put("input.normalization", inputs.normalization().spelling());
    metadata.put("target.classes", toJson(targets.classes()));
    if (network.output() == Output.LINEAR) {
      metadata.put(TARGET_MEAN, String.valueOf(targets.mean()));
      metadata.put(TARGET_DEVIATION, String.valueOf(targets.deviation()));
    }
    metadata.put("features", toJson(featureNames));
    metadata.put("label", labelName);
    metadata.put("header", String.valueOf(header));
    new TreeMap<>(provenance).forEach((key, value) -> metadata.put(PROVENANCE + key, value));

    Map<String, Tensor> tensors = new LinkedHashMap<>();
    for (int l = 0; l < network.layers(); l++) {
      tensors.put(
          weight(l), Tensor.matrix(network.units(l), network.inputs(l), parameters.weights()[l]));
      tensors.put(bias(l), Tensor.vector(parameters.biases()[l]));
    }
    tensors.put("input.mean", Tensor.vector(inputs.mean()));
    tensors.put("input.deviation", Tensor.vector(inputs.deviation()));
    new Safetensors(metadata, tensors).write(target);
  }

  /**
   * Reads a model and checks all of it.
   *
   * @param path of a file that {@link #save} wrote
   * @return the model
   * @throws InputException if the file cannot be read, is damaged or is no model of this program
   */
  public static Model load(Path path) {
    return new Loader(path, Safetensors.read(path)).load();
  }

  private static String weight(int layer) {
    return "layers." + layer + ".weight";
  }

  private static String bias(int layer) {
    return "layers." + layer + ".bias";
  }

  private static String toJson(List<String> texts) {
    StringWriter out = new StringWriter();
    try (JsonGenerator json = JSON.createGenerator(out)) {
      json.writeArray(texts.toArray(String[]::new), 0, texts.size());
    } catch (IOException e) {
      throw new AssertionError("a string in memory cannot fail", e);
    }
    return out.toString();
  }

  /** Makes a model of a file's contents. */
  private static final class Loader {
    private final Path path;
    private final Map<String, String> metadata;
    private final Map<String, Tensor> tensors;

    Loader(Path path, Safetensors file) {
      this.path = path;
      this.metadata = file.metadata();
      this.tensors = new LinkedHashMap<>(file.tensors());
    }

    Model load() {
      if (!FORMAT.equals(metadata.get("format"))) {
        throw new InputException(path + ": a safetensors file, but no model of deltarule");
      }
      if (!VERSION.equals(metadata.get("version"))) {
        throw new InputException(
            "%s: a model of version %s; this program reads version %s"
                .formatted(path, InputException.quote(text("version")), VERSION));
      }
      try {
        return build();
      } catch (IllegalArgumentException e) {
        throw bad(e.getMessage());
      }
    }

    private Model build() {
      Network network =
          new Network(
              Integer.parseInt(text("network.inputs")),
              list("network.hidden", JsonToken.VALUE_NUMBER_INT).stream()
                  .map(Integer::valueOf)
                  .toList(),
              Activation.of(text("network.activation")),
              Integer.parseInt(text("network.outputs")),
              Output.of(text("network.output")));
      float[][] weights = new float[network.layers()][];
      float[][] biases = new float[network.layers()][];
      for (int l = 0; l < network.layers(); l++) {
        weights[l] = take(weight(l), network.units(l), network.inputs(l));
        biases[l] = take(bias(l), network.units(l));
      }
      Standardizer inputs =
          new Standardizer(
              Normalization.of(text("input.normalization")),
              take("input.mean", network.inputs()),
              take("input.deviation", network.inputs()));
      boolean linear = network.output() == Output.LINEAR;
      TargetEncoding targets =
          new TargetEncoding(
              network.output(),
              list("target.classes", JsonToken.VALUE_STRING),
              linear ? Double.parseDouble(text(TARGET_MEAN)) : 0,
              linear ? Double.parseDouble(text(TARGET_DEVIATION)) : 1);
      if (!tensors.isEmpty()) {
        throw bad("it holds a tensor %s too many".formatted(quoteFirst(tensors)));
      }
      Map<String, String> provenance = new LinkedHashMap<>();
      metadata.forEach(
          (key, value) -> {
            if (key.startsWith(PROVENANCE)) {
              provenance.put(key.substring(PROVENANCE.length()), value);
            }
          });
      return new Model(
          network,
          new Parameters(network, weights, biases),
          inputs,
          targets,
          list("features", JsonToken.VALUE_STRING),
          text("label"),
          flag("header"),
          provenance);
    }

    private static String quoteFirst(Map<String, Tensor> tensors) {
      return InputException.quote(tensors.keySet().iterator().next());
    }

    private String text(String key) {
      String value = metadata.get(key);
      if (value == null) {
        throw bad("its metadata lack '%s'".formatted(key));
      }
      return value;
    }

    private boolean flag(String key) {
      String value = text(key);
      if (!value.equals("true") && !value.equals("false")) {
        throw bad("its '%s' is neither true nor false".formatted(key));
      }
      return value.equals("true");
    }

    private List<String> list(String key, JsonToken type) {
      List<String> texts = new ArrayList<>();
      try (JsonParser json = JSON.createParser(text(key))) {
        boolean array = json.nextToken() == JsonToken.START_ARRAY;
        while (array && json.nextToken() == type) {
          texts.add(json.getText());
        }
        if (!array || json.currentToken() != JsonToken.END_ARRAY || json.nextToken() != null) {
          throw bad("its '%s' is not the list it should be".formatted(key));
        }
      } catch (IOException e) {
        throw bad("its '%s' is not valid JSON".formatted(key));
      }
      return texts;
    }

    private float[] take(String name, long... shape) {
      Tensor tensor = tensors.remove(name);
      List<Long> expected = Arrays.stream(shape).boxed().toList();
      if (tensor == null) {
        throw bad("it lacks the tensor '%s'".formatted(name));
      }
      if (!tensor.shape().equals(expected)) {
        throw bad(
            "its tensor '%s' has the shape %s, not %s".formatted(name, tensor.shape(), expected));
      }
      return tensor.values();
    }

    private InputException bad(String what) {
      return new InputException(path + ": not a usable model: " + what);
    }
  }
}
