package io.deltarule.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

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
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class ModelTest {
  @TempDir Path directory;

  private static Model model(Output output) {
    int outputs = output == Output.SOFTMAX ? 3 : 1;
    Network network = new Network(2, List.of(4, 3), Activation.values()[0], outputs, output);
    List<String> classes =
        switch (output) {
          case SIGMOID -> List.of("B", "M");
          case SOFTMAX -> List.of("a \"quote\"", "b\n", "\u00e9");
          case LINEAR -> List.of();
        };
    boolean linear = output == Output.LINEAR;
    return new Model(
        network,
        Parameters.initialise(network, 7),
        new Standardizer(
            Normalization.COLUMN, new float[] {0.1f, -1e30f}, new float[] {1e-30f, 1 / 3f}),
        new TargetEncoding(output, classes, linear ? 0.1f : 0, linear ? 1 / 3f : 1),
        List.of("radius, mean", "c2"),
        "y",
        true,
        Map.of("seed", "7", "engine", "host"));
  }

  private Path saved(Output output) {
    Path path = directory.resolve("m.safetensors");
    model(output).save(path);
    return path;
  }

  private static void assertSame(Model expected, Model actual) {
    assertEquals(expected.network(), actual.network());
    for (int l = 0; l < expected.network().layers(); l++) {
      assertArrayEquals(expected.parameters().weights()[l], actual.parameters().weights()[l]);
      assertArrayEquals(expected.parameters().biases()[l], actual.parameters().biases()[l]);
    }
    assertEquals(expected.inputs().normalization(), actual.inputs().normalization());
    assertArrayEquals(expected.inputs().mean(), actual.inputs().mean());
    assertArrayEquals(expected.inputs().deviation(), actual.inputs().deviation());
    assertEquals(expected.targets(), actual.targets());
    assertEquals(expected.featureNames(), actual.featureNames());
    assertEquals(expected.labelName(), actual.labelName());
    assertEquals(expected.header(), actual.header());
    assertEquals(expected.provenance(), actual.provenance());
  }

  @ParameterizedTest
  @EnumSource(Output.class)
  void returnsWhatWasSaved(Output output) throws Exception {
    Path path = saved(output);
    Model loaded = Model.load(path);
    assertSame(model(output), loaded);
    assertEquals(
        new Layout(loaded.featureNames(), "y", loaded.header(), true), loaded.layout(true));
    byte[] first = Files.readAllBytes(path);
    loaded.save(path);
    assertArrayEquals(first, Files.readAllBytes(path));
  }

  @Test
  void tensorsHaveTheNamesAndShapesOfPyTorch() {
    Map<String, Tensor> tensors = Safetensors.read(saved(Output.LINEAR)).tensors();
    Map<String, String> shapes = new LinkedHashMap<>();
    tensors.forEach((name, tensor) -> shapes.put(name, tensor.shape().toString()));
    assertEquals(
        "{layers.0.weight=[4, 2], layers.0.bias=[4], layers.1.weight=[3, 4], layers.1.bias=[3],"
            + " layers.2.weight=[1, 3], layers.2.bias=[1], input.mean=[2], input.deviation=[2]}",
        shapes.toString());
  }

  // Both change the file in place: ext4 syncs a file that is truncated and written anew.

  @Test
  void everyTruncationIsFound() throws Exception {
    Path path = saved(Output.SIGMOID);
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      for (long length = file.length() - 1; length >= 0; length--) {
        file.setLength(length);
        assertThrows(InputException.class, () -> Model.load(path), "at " + length);
      }
    }
  }

  @Test
  void everyFlippedByteIsFound() throws Exception {
    Path path = saved(Output.SIGMOID);
    byte[] whole = Files.readAllBytes(path);
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      for (int flip : new int[] {1, 0x80}) {
        for (int at = 0; at < whole.length; at++) {
          file.seek(at);
          file.write(whole[at] ^ flip);
          InputException e =
              assertThrows(InputException.class, () -> Model.load(path), "byte " + at);
          assertTrue(e.getMessage().startsWith(path + ": "), e.getMessage());
          file.seek(at);
          file.write(whole[at]);
        }
      }
    }
    assertSame(model(Output.SIGMOID), Model.load(path));
  }

  /** Files whose hashes are right and whose contents are not. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          format|x|a safetensors file, but no model of deltarule
          version|2|a model of version '2'; this program reads version 1
          network.inputs||not a usable model: its metadata lack 'network.inputs'
          network.inputs|x|not a usable model: For input string: "x"
          network.inputs|3|not a usable model: its tensor 'layers.0.weight' has the shape [4, 2], not [4, 3]
          network.inputs|-3|not a usable model: inputs must be at least 1, not -3
          network.hidden|[4]|not a usable model: its tensor 'layers.1.weight' has the shape [3, 4], not [1, 4]
          network.hidden|[4,"3"]|not a usable model: its 'network.hidden' is not the list it should be
          network.hidden|[4,3|not a usable model: its 'network.hidden' is not valid JSON
          network.hidden|[4,3,1]|not a usable model: it lacks the tensor 'layers.3.weight'
          network.hidden|[2147483647,2147483647]|not a usable model: a layer of 2 inputs and 2147483647 units has more than 2147482623 weights
          network.outputs|2|not a usable model: its tensor 'layers.2.weight' has the shape [1, 3], not [2, 3]
          network.output|linear|not a usable model: its metadata lack 'target.mean'
          network.output|softmax|not a usable model: softmax needs at least 2 outputs, not 1; use sigmoid for two classes
          target.classes|["a"]|not a usable model: 1 classes for output sigmoid
          target.classes|["a","a"]|not a usable model: a class is there twice: 'a', 'a'
          features|["a"]|not a usable model: normalisation of 2 columns and 1 names for 2 inputs
          features|{}|not a usable model: its 'features' is not the list it should be
          header|maybe|not a usable model: its 'header' is neither true nor false
          input.normalization|x|not a usable model: unknown normalization 'x'; one of column, global, none
          """)
  void contentsThatDoNotFitAreRefused(String key, String value, String message) {
    Path path = saved(Output.SIGMOID);
    Safetensors file = Safetensors.read(path);
    Map<String, String> metadata = new LinkedHashMap<>(file.metadata());
    if (value == null) {
      metadata.remove(key);
    } else {
      metadata.put(key, value);
    }
    new Safetensors(metadata, file.tensors()).write(path);
    assertEquals(
        path + ": " + message,
        assertThrows(InputException.class, () -> Model.load(path)).getMessage());
  }

  @Test
  void tensorsThatDoNotFitAreRefused() {
    Path path = saved(Output.SIGMOID);
    Safetensors file = Safetensors.read(path);
    assertRefused(
        file, "layers.1.bias", Tensor.vector(1, 2, Float.NaN), "biases of layer 1 hold NaN");
    assertRefused(
        file, "input.deviation", Tensor.vector(1, 0), "column 1: mean -1.0E30, deviation 0.0");
    assertRefused(file, "extra", Tensor.vector(1), "it holds a tensor 'extra' too many");
  }

  private void assertRefused(Safetensors file, String name, Tensor tensor, String message) {
    Map<String, Tensor> tensors = new LinkedHashMap<>(file.tensors());
    tensors.put(name, tensor);
    Path path = directory.resolve("m.safetensors");
    new Safetensors(file.metadata(), tensors).write(path);
    assertEquals(
        path + ": not a usable model: " + message,
        assertThrows(InputException.class, () -> Model.load(path)).getMessage());
  }

  @Test
  void aModelChecksItsParts() {
    Model model = model(Output.SIGMOID);
    assertEquals(
        "1 linear targets for 2-4-3-1 " + model.network().activation().spelling() + " sigmoid",
        assertThrows(
                IllegalArgumentException.class,
                () ->
                    new Model(
                        model.network(),
                        model.parameters(),
                        model.inputs(),
                        model(Output.LINEAR).targets(),
                        model.featureNames(),
                        "y",
                        true,
                        Map.of()))
            .getMessage());
  }

  @Test
  void provesThatItCanBeSaved() throws Exception {
    Network network = model(Output.SIGMOID).network();
    Model.requireWritable(directory.resolve("m"), network);
    try (Stream<Path> list = Files.list(directory)) {
      assertEquals(0, list.count());
    }
    assertThrows(
        InputException.class, () -> Model.requireWritable(directory.resolve("no/m"), network));
  }
}
