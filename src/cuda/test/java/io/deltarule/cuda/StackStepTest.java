package io.deltarule.cuda;

import static io.deltarule.cuda.KernelRunner.ceil;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Output;
import io.deltarule.engine.UpdateRule;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.function.BiConsumer;
import java.util.stream.Stream;
import jcuda.driver.CUdeviceptr;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The step in one launch leaves every buffer as the separate kernels do, bit for bit. */
@Tag("kernels")
class StackStepTest {
  private static final int SAMPLES = 7;
  private static final int LONGER = 3; // a list of rows than a batch
  private static final int STEPS = 3;
  private static final int MOST_LAYERS = 16;
  private static final int ERROR_GROUP = 128; // work-items of an output error
  private static final long MOST_BYTES_OF_BLOCK = 160 << 10;

  /**
   * A stack and a batch of m rows.
   *
   * @param groups of a launch
   * @param gap so many parameters of no layer behind each W and b
   * @param special a number among the others, or most parameters, see {@link Memory#addSpecial}; 0
   *     if there is none
   */
  record Stack(
      int m,
      List<Integer> widths,
      Activation f,
      Output output,
      UpdateRule rule,
      int groups,
      int gap,
      float special) {

    Stack(
        int m,
        List<Integer> widths,
        Activation f,
        Output output,
        UpdateRule rule,
        int groups,
        int gap) {
      this(m, widths, f, output, rule, groups, gap, 0);
    }
  }

  static Stream<Stack> stacks() {
    List<Stack> stacks = new ArrayList<>();
    UpdateRule sgd = new UpdateRule.Sgd();
    UpdateRule momentum = new UpdateRule.Momentum(0.9f);
    UpdateRule adam = new UpdateRule.Adam(0.9f, 0.999f, 1e-8f);
    for (Activation f : Activation.values()) {
      stacks.add(new Stack(17, List.of(33, 31, 65, 2), f, Output.SIGMOID, adam, 3, 5));
    }
    for (Output output : Output.values()) {
      stacks.add(new Stack(32, List.of(30, 64, 32, 1), Activation.RELU, output, sgd, 1, 0));
      stacks.add(new Stack(300, List.of(3, 5, 9), Activation.TANH, output, momentum, 2, 1));
    }
    stacks.add(new Stack(1, List.of(1, 1), Activation.RELU, Output.LINEAR, adam, 2, 127));
    stacks.add(new Stack(5, List.of(129, 7), Activation.RELU, Output.SOFTMAX, momentum, 4, 0));
    stacks.add(new Stack(9, List.of(2, 12, 4, 128), Activation.RELU, Output.SOFTMAX, adam, 1, 3));
    stacks.add(new Stack(40, List.of(6, 40, 9), Activation.RELU, Output.LINEAR, sgd, 2, 0));
    stacks.add(new Stack(512, List.of(2, 3, 9), Activation.RELU, Output.SIGMOID, adam, 2, 0));
    List<Integer> many = List.of(3, 9, 1, 8, 7, 5, 4, 9, 2, 3, 6, 8, 9, 4, 1, 7, 2);
    stacks.add(new Stack(16, many, Activation.LEAKY_RELU, Output.LINEAR, momentum, 1, 2));
    for (float special : new float[] {Float.NaN, Float.MIN_VALUE, -0f, 3e38f}) {
      for (Output output : Output.values()) {
        List<Integer> widths = List.of(5, 13, 6, 2);
        stacks.add(new Stack(18, widths, Activation.RELU, output, sgd, 2, 1, special));
        stacks.add(new Stack(18, widths, Activation.TANH, output, adam, 2, 1, special));
      }
    }
    float infinity = Float.POSITIVE_INFINITY;
    stacks.add(new Stack(6, List.of(2, 3), Activation.RELU, Output.SIGMOID, sgd, 1, 0, infinity));
    stacks.add(
        new Stack(100, List.of(28, 96, 96, 1), Activation.GELU, Output.SIGMOID, adam, 5, 127));
    return stacks.stream();
  }

  /** Those that fit the memory of one block. */
  static Stream<Stack> stacksOfOneBlock() {
    return stacks().filter(stack -> new Memory(stack).layout.bytes() <= MOST_BYTES_OF_BLOCK);
  }

  @Test
  void mostFitOneBlock() {
    assertEquals(stacks().count() - 1, stacksOfOneBlock().count());
  }

  @ParameterizedTest
  @MethodSource("stacks")
  void hasTheBitsOfTheSeparateKernels(Stack stack) {
    hasTheBitsOfTheSeparateKernels(
        stack,
        (runner, words) ->
            runner.launchCooperative(
                runner.kernel("stack_step", "stack_step"), stack.groups(), 32, 4, words));
  }

  @ParameterizedTest
  @MethodSource("stacksOfOneBlock")
  void oneBlockHasThem(Stack stack) {
    hasTheBitsOfTheSeparateKernels(stack, blockOf(stack));
  }

  /** And with those copies late that come early otherwise, and the threads of a block backwards. */
  @ParameterizedTest
  @MethodSource("stacksOfOneBlock")
  void oneBlockHasThemInAnotherOrder(Stack stack) {
    FakeDriver.reverseThreads(true);
    hasTheBitsOfTheSeparateKernels(stack, blockOf(stack));
  }

  private static BiConsumer<KernelRunner, long[]> blockOf(Stack stack) {
    int bytes = (int) new Memory(stack).layout.bytes();
    return (runner, words) ->
        runner.launchBlock(runner.kernel("stack_block", "stack_block"), 512, bytes, words);
  }

  private static void hasTheBitsOfTheSeparateKernels(
      Stack stack, BiConsumer<KernelRunner, long[]> launch) {
    Memory memory = new Memory(stack);
    try (KernelRunner runner = new KernelRunner(memory.size)) {
      float[] initial = memory.initial();
      runner.write(initial);
      Separate separate = new Separate(runner, memory, stack);
      for (int step = 0; step < STEPS; step++) {
        separate.step();
      }
      float[] expected = runner.read();
      assertTrue(stack.special() != 0 || Float.isFinite(expected[memory.losses + STEPS - 1]));

      long address = runner.address();
      for (int stepsOfLaunch : new int[] {1, STEPS}) {
        runner.write(initial);
        for (int step = 0; step < STEPS; step += stepsOfLaunch) {
          launch.accept(runner, memory.words(address, stepsOfLaunch));
        }
        float[] actual = runner.read();
        for (int i = 0; i < memory.barrier; i++) {
          int at = i;
          assertEquals(
              Float.floatToIntBits(expected[i]), // any NaN is NaN
              Float.floatToIntBits(actual[i]),
              () -> memory.describe(at) + ": " + expected[at] + " became " + actual[at]);
        }
      }
    }
  }

  /** Where everything lies, in floats. */
  private static final class Memory {
    private final Stack stack;
    private final int layers;
    private final int m;
    private final int[] w;
    private final int[] b;
    private final int[] saved;
    private final int[] a;
    private final int[] d;
    private final int inputs;
    private final int targets;
    private final int rows;
    private final int at;
    private final int x;
    private final int y;
    private final int losses;
    private final int partial;
    private final int p;
    private final int theta;
    private final int gradient;
    private final int state;
    private final int schedule;
    private final int barrier;
    private final int size;
    private final BlockLayout layout;
    private final List<String> names = new ArrayList<>();
    private final List<Integer> starts = new ArrayList<>();
    private int used;

    Memory(Stack stack) {
      this.stack = stack;
      m = stack.m();
      layers = stack.widths().size() - 1;
      inputs = take("inputs", SAMPLES * n(0));
      targets = take("targets", SAMPLES * n(layers));
      rows = take("rows", STEPS * (m + LONGER));
      at = take("at", 1);
      x = take("X", m * n(0));
      y = take("Y", m * n(layers));
      losses = take("losses", STEPS);
      partial = take("partial", lossGroups());
      w = new int[layers + 1];
      b = new int[layers + 1];
      saved = new int[layers + 1];
      a = new int[layers + 1];
      d = new int[layers + 1];
      int parameters = 0;
      for (int l = 1; l <= layers; l++) {
        w[l] = parameters;
        b[l] = w[l] + n(l) * n(l - 1) + stack.gap();
        parameters = b[l] + n(l) + stack.gap();
        a[l] = take("A" + l, m * n(l));
        saved[l] = f(l).savesInput() ? take("Z" + l, m * n(l)) : a[l];
        d[l] = take("D" + l, m * n(l));
      }
      p = parameters;
      theta = take("theta", p);
      gradient = take("gradient", p);
      state = take("state", 2 * p);
      schedule = take("schedule", 4 * STEPS);
      barrier = take("barrier", 1);
      size = used;
      List<Boolean> keeps = new ArrayList<>();
      for (int l = 1; l <= layers; l++) {
        keeps.add(f(l).savesInput());
      }
      layout = new BlockLayout(m, stack.widths(), keeps, stack.rule().stateRows());
    }

    private int take(String name, int elements) {
      names.add(name);
      starts.add(used);
      used += elements;
      return used - elements;
    }

    int n(int layer) {
      return stack.widths().get(layer);
    }

    Activation f(int layer) {
      return layer == layers ? Activation.IDENTITY : stack.f();
    }

    int keep(int layer) {
      return f(layer).savesInput() ? 1 : 0;
    }

    int lossGroups() {
      return ceil(m * n(layers), 2 * ERROR_GROUP);
    }

    /** An element, for messages. */
    String describe(int element) {
      int i = names.size() - 1;
      while (starts.get(i) > element) {
        i--;
      }
      return names.get(i) + "[" + (element - starts.get(i)) + "]";
    }

    float[] initial() {
      Random random = new Random(stack.hashCode());
      float[] values = new float[size];
      for (int i = 0; i < SAMPLES * n(0); i++) {
        values[inputs + i] = (float) random.nextGaussian();
      }
      for (int i = 0; i < SAMPLES * n(layers); i++) {
        values[targets + i] = random.nextInt(2);
      }
      for (int i = 0; i < STEPS * (m + LONGER); i++) {
        values[rows + i] = Float.intBitsToFloat(random.nextInt(SAMPLES));
      }
      for (int i = 0; i < p; i++) {
        values[theta + i] = (float) random.nextGaussian() * 0.3f;
        values[gradient + i] = (float) random.nextGaussian(); // stays where no layer is
      }
      for (int step = 0; step < STEPS; step++) {
        values[schedule + 4 * step] = 0.01f;
        values[schedule + 4 * step + 1] = 0.001f;
        values[schedule + 4 * step + 2] = 1.5f;
        values[schedule + 4 * step + 3] = 1.25f;
      }
      addSpecial(values, stack.special());
      return values;
    }

    private void addSpecial(float[] values, float special) {
      if (special == Float.MIN_VALUE) { // whose products with errors are -0, and so are their sums
        Arrays.fill(values, theta, theta + w[layers], special);
        Arrays.fill(values, schedule, schedule + 4 * STEPS, 0); // so they stay
      } else if (special == Float.POSITIVE_INFINITY) { // which theta becomes, but nothing NaN
        for (int i = 0; i < values.length; i++) {
          boolean isNumber = i < targets || i >= theta && i < theta + p;
          values[i] = isNumber ? Math.abs(values[i]) : values[i];
        }
        values[schedule + 4 * (STEPS - 2) + 1] = special; // before the last step
      } else if (Float.floatToRawIntBits(special) != 0) {
        values[inputs + 1] = special;
        values[theta + w[layers] + 1] = special;
        values[schedule + 1] = special; // of the first step
      }
    }

    /** The table of kernels/stack.h. */
    long[] words(long address, int steps) {
      long[] words = new long[29 + 16 * MOST_LAYERS];
      UpdateRule rule = stack.rule();
      float[] scalars =
          rule instanceof UpdateRule.Adam adam
              ? new float[] {adam.beta1(), adam.beta2(), adam.epsilon()}
              : rule instanceof UpdateRule.Momentum momentum
                  ? new float[] {momentum.momentum(), 0, 0}
                  : new float[3];
      words[0] = layers;
      words[1] = m;
      words[2] = n(0);
      words[3] = p;
      words[4] = rule instanceof UpdateRule.Sgd ? 0 : rule instanceof UpdateRule.Momentum ? 1 : 2;
      words[5] =
          switch (stack.output()) {
            case SIGMOID -> 0;
            case SOFTMAX -> 1;
            case LINEAR -> 2;
          };
      words[6] = lossGroups();
      words[7] = m + LONGER;
      int[] addresses = {
        inputs, targets, rows, at, 0, x, y, losses, partial, theta, gradient, state, schedule,
        barrier
      };
      for (int i = 0; i < addresses.length; i++) {
        words[8 + i] = address + 4L * addresses[i];
      }
      words[12] = steps;
      for (int i = 0; i < scalars.length; i++) {
        words[22 + i] = Float.floatToRawIntBits(scalars[i]);
      }
      for (int i = 0; i < 4; i++) {
        words[25 + i] = layout.ofAll().get(i);
      }
      for (int l = 1; l <= layers; l++) {
        int word = 29 + 16 * (l - 1);
        words[word] = n(l);
        words[word + 1] = n(l - 1);
        words[word + 2] = f(l).ordinal();
        words[word + 3] = keep(l);
        int[] matrices = {
          theta + w[l], theta + b[l], gradient + w[l], gradient + b[l], saved[l], a[l], d[l]
        };
        for (int i = 0; i < matrices.length; i++) {
          words[word + 4 + i] = address + 4L * matrices[i];
        }
        for (int i = 0; i < 5; i++) {
          words[word + 11 + i] = layout.ofLayer(l).get(i);
        }
      }
      return words;
    }
  }

  /** A step by one kernel after the other; but for gradients by the wide tile: the same bits. */
  private static final class Separate {
    private static final int WG = 256;

    private final KernelRunner runner;
    private final Memory memory;
    private final Stack stack;
    private final CUdeviceptr block;

    Separate(KernelRunner runner, Memory memory, Stack stack) {
      this.runner = runner;
      this.memory = memory;
      this.stack = stack;
      block = runner.block();
    }

    void step() {
      final int layers = memory.layers;
      final int m = memory.m;
      gather();
      for (int l = 1; l <= layers; l++) {
        product(
            "gemm_forward",
            m,
            memory.n(l),
            m,
            memory.n(l),
            memory.n(l - 1),
            memory.f(l).ordinal(),
            memory.keep(l),
            block,
            (long) (l == 1 ? memory.x : memory.a[l - 1]),
            block,
            (long) memory.theta + memory.w[l],
            block,
            (long) memory.theta + memory.b[l],
            block,
            (long) memory.saved[l],
            block,
            (long) memory.a[l]);
      }
      outputError();
      for (int l = layers; l >= 1; l--) {
        gradients(l, l == 1 ? memory.x : memory.a[l - 1]);
        if (l > 1) {
          product(
              "gemm_propagate",
              m,
              memory.n(l - 1),
              m,
              memory.n(l - 1),
              memory.n(l),
              memory.f(l - 1).ordinal(),
              block,
              (long) memory.d[l],
              block,
              (long) memory.theta + memory.w[l],
              block,
              (long) memory.saved[l - 1],
              block,
              (long) memory.d[l - 1]);
        }
      }
      update();
      runner.launch(runner.kernel("cursor", "cursor_advance"), 1, 1, 1, 1, runner.from(memory.at));
    }

    private void gather() {
      int inputs = memory.n(0);
      int targets = memory.n(memory.layers);
      int groupsOfInputs = ceil(memory.m * inputs, WG * 4);
      runner.launch(
          runner.kernel("gather_batch", "gather_batch"),
          groupsOfInputs + ceil(memory.m * targets, WG * 4),
          1,
          WG,
          1,
          memory.m,
          inputs,
          inputs,
          1,
          memory.m + LONGER,
          groupsOfInputs,
          targets,
          runner.from(memory.rows),
          runner.from(memory.at),
          block,
          (long) memory.inputs,
          block,
          (long) memory.x,
          new CUdeviceptr(),
          runner.from(memory.targets),
          runner.from(memory.y));
    }

    private void product(String name, int rows, int columns, Object... arguments) {
      runner.launch(
          runner.kernel("gemm_wide", name), ceil(columns, 128), ceil(rows, 128), 16, 16, arguments);
    }

    private void outputError() {
      int groups = memory.lossGroups();
      runner.launch(
          runner.kernel(
              "output_error", "output_error_" + stack.output().name().toLowerCase(Locale.ROOT)),
          groups,
          1,
          ERROR_GROUP,
          1,
          memory.m,
          memory.n(memory.layers),
          block,
          (long) memory.a[memory.layers],
          block,
          (long) memory.y,
          block,
          (long) memory.d[memory.layers],
          runner.from(memory.partial),
          block,
          (long) memory.losses,
          runner.from(memory.at));
      if (groups > 1) {
        runner.launch(
            runner.kernel("output_error", "sum_losses"),
            1,
            1,
            ERROR_GROUP,
            1,
            groups,
            runner.from(memory.partial),
            block,
            (long) memory.losses,
            runner.from(memory.at));
      }
    }

    private void gradients(int l, int a) {
      runner.launch(
          runner.kernel("gemm_gradients", "gemm_gradients"),
          ceil(memory.n(l - 1) + 1, 32),
          ceil(memory.n(l), 8),
          32,
          4,
          memory.n(l),
          memory.n(l - 1),
          memory.m,
          block,
          (long) memory.d[l],
          block,
          (long) a,
          block,
          (long) memory.gradient + memory.w[l],
          block,
          (long) memory.gradient + memory.b[l]);
    }

    private void update() {
      UpdateRule rule = stack.rule();
      List<Object> arguments = new ArrayList<>();
      arguments.addAll(List.of((long) memory.p, block, (long) memory.theta));
      arguments.addAll(List.of(block, (long) memory.gradient));
      arguments.addAll(List.of(block, (long) memory.schedule, runner.from(memory.at)));
      String name = "update_sgd";
      if (rule instanceof UpdateRule.Momentum momentum) {
        name = "update_momentum";
        arguments.addAll(List.of(block, (long) memory.state, momentum.momentum()));
      } else if (rule instanceof UpdateRule.Adam adam) {
        name = "update_adam";
        arguments.addAll(List.of(block, (long) memory.state));
        arguments.addAll(List.of(adam.beta1(), adam.beta2(), adam.epsilon()));
      }
      runner.launch(
          runner.kernel("update", name), ceil(memory.p, WG * 4), 1, WG, 1, arguments.toArray());
    }
  }
}
