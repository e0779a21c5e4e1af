package io.deltarule.app;

import io.deltarule.data.CsvOptions;
import io.deltarule.data.Dataset;
import io.deltarule.data.Datasets;
import io.deltarule.data.InputException;
import io.deltarule.data.Normalization;
import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineDescription;
import io.deltarule.model.AtomicFile;
import io.deltarule.model.Model;
import io.deltarule.network.Network;
import io.deltarule.network.Parameters;
import io.deltarule.training.DataPlacement;
import io.deltarule.training.Inference;
import io.deltarule.training.Metrics;
import io.deltarule.training.Preparation;
import io.deltarule.training.RateSchedule;
import io.deltarule.training.Samples;
import io.deltarule.training.Trainer;
import io.deltarule.training.TrainingException;
import io.deltarule.training.TrainingOptions;
import io.deltarule.training.TrainingResult;
import io.deltarule.training.TrainingResult.Ending;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Trains a network on a data file and saves it. */
@Command(
    name = "train",
    description =
        "Trains a network on DATA (CSV or IDX images, also gzipped), measures it on rows held out, and "
            + "saves it with all that prediction needs.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footer = {
      "",
      "Examples:",
      "  deltarule train examples/wdbc.csv",
      "  deltarule train iris.csv --output softmax --hidden 16 --label species",
      "  deltarule train train-images-idx3-ubyte.gz --output softmax --hidden 128 \\",
      "      --test t10k-images-idx3-ubyte.gz --epochs 10",
      "  deltarule train houses.csv --output linear --label price --report houses.html",
      "",
      "Ctrl-C ends training and saves the best model so far; within the first epoch it leaves an",
      "older model alone."
    })
final class TrainCommand implements Callable<Integer> {

  @picocli.CommandLine.Parameters(paramLabel = "DATA", description = "The file to learn from.")
  private Path data;

  @Mixin private DataOptionsMixin dataOptions = new DataOptionsMixin();
  @Mixin private NetworkOptionsMixin networkOptions = new NetworkOptionsMixin();
  @Mixin private EngineOptionsMixin engineOptions = new EngineOptionsMixin();

  @Option(
      names = "--epochs",
      paramLabel = "N",
      converter = Converters.Positive.class,
      description = "The most passes over the training rows. Default: ${DEFAULT-VALUE}")
  private int epochs = TrainingOptions.DEFAULT.epochs();

  @Option(
      names = "--batch",
      paramLabel = "N",
      converter = Converters.Positive.class,
      description = "Rows of a mini-batch. Default: 32, or all rows if there are fewer")
  private Integer batch;

  @Option(
      names = "--optimizer",
      paramLabel = "sgd|momentum|adam|adamw",
      description = "adamw is adam with a weight decay of 0.01. Default: adam")
  private Optimizer optimizer = Optimizer.ADAM;

  @Option(
      names = "--lr",
      paramLabel = "X",
      converter = Converters.Size.class,
      description = "Learning rate. Default: 0.001 for adam and adamw, 0.01 momentum, 0.1 sgd")
  private Double learningRate;

  @Option(
      names = "--lr-schedule",
      paramLabel = "constant|cosine",
      description =
          "Whether the learning rate stays, or falls to 0 over all epochs by half a cosine wave. "
              + "Default: cosine")
  private RateSchedule schedule = TrainingOptions.DEFAULT.schedule();

  @Option(
      names = "--weight-decay",
      paramLabel = "X",
      converter = Converters.Size.class,
      description = "Decoupled weight decay. Default: 0.01 for adamw, otherwise 0")
  private Double weightDecay;

  @Option(
      names = "--validation-split",
      paramLabel = "SHARE",
      converter = Converters.Share.class,
      description =
          "Share of the training rows that choose the best epoch; 0 for none. Default: "
              + "${DEFAULT-VALUE}")
  private double validationShare = 0.1;

  @Option(
      names = "--patience",
      paramLabel = "N",
      converter = Converters.NotNegative.class,
      description =
          "Epochs without a better validation loss after which training ends; 0 for never. Default: "
              + "${DEFAULT-VALUE}")
  private int patience = TrainingOptions.DEFAULT.patience();

  @Option(
      names = "--test",
      paramLabel = "FILE",
      description = "A file to measure the model on, instead of rows held out from DATA.")
  private Path test;

  @Option(
      names = "--test-split",
      paramLabel = "SHARE",
      converter = Converters.Share.class,
      description = "Share of DATA's rows to hold out; 0 for none. Default: 0.2")
  private Double testShare;

  @Option(
      names = "--normalize",
      paramLabel = "column|global|none",
      converter = Converters.OfNormalization.class,
      description =
          "Standardise the features each by itself, all alike, or not. Default: global for images, "
              + "otherwise column")
  private Normalization normalization;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description =
          "Seed of the splits, the initial weights and the order of rows. Default: ${DEFAULT-VALUE}")
  private long seed = 0;

  @Option(
      names = "--data-on",
      paramLabel = "auto|device|host",
      description =
          "Where the rows lie while training: on the device, or on the host, which sends them batch by "
              + "batch. auto takes the device if they fit. The model is the same. Default: auto")
  private DataPlacement placement = TrainingOptions.DEFAULT.placement();

  @Option(
      names = "--model",
      paramLabel = "OUT",
      description = "Where to save the model. Default: DATA's name with .safetensors, here")
  private Path model;

  @Option(
      names = "--report",
      paramLabel = "OUT.html",
      description = "Write a page with the settings, the losses and the results.")
  private Path report;

  @Option(names = "--json", description = "One JSON object as the last line.")
  private boolean json;

  @Spec private CommandSpec spec;

  private PrintWriter out;
  private PrintWriter err;

  TrainCommand() {}

  @Override
  public Integer call() {
    out = spec.commandLine().getOut();
    err = spec.commandLine().getErr();
    if (test != null && testShare != null) {
      throw unusable("--test and --test-split exclude each other");
    }
    if (learningRate != null && learningRate.floatValue() == 0) {
      throw unusable("--lr must be positive, as a float too");
    }
    try (Engine engine = engineOptions.open()) {
      Path target = model != null ? model : defaultModel(data);
      new OutputFiles()
          .reads("DATA", data)
          .reads("--test", test)
          .writes("--model", target)
          .writes("--report", report);
      Dataset dataset = Datasets.read(data, dataOptions.csv());
      new OutputFiles()
          .reads("the labels", Path.of(dataset.labels().orElseThrow().source()))
          .writes("--model", target)
          .writes("--report", report);
      Preparation prepared = prepare(dataset);
      Optional<Samples> tested =
          test == null ? prepared.heldOut() : Optional.of(readTest(dataset, prepared));
      Network network = network(dataset, prepared);
      TrainingOptions options = options(prepared.training().rows());
      Model.requireWritable(target, network);
      if (report != null) {
        AtomicFile.requireWritable(report, HtmlReport.MOST_BYTES);
      }
      engineOptions.tellChoice(err);
      prepared.targets().note().ifPresent(err::println);
      out.printf(
          Locale.ROOT,
          "%s, %,d parameters; %,d training, %,d validation and %,d held-out rows%n",
          network,
          network.parameters(),
          prepared.training().rows(),
          prepared.validation().map(Samples::rows).orElse(0),
          tested.map(Samples::rows).orElse(0));
      out.flush();
      TrainingResult result = train(engine, network, options, prepared);
      if (result.bestEpoch() == 0 && Files.exists(target)) {
        err.printf("stopped by Ctrl-C; no epoch was done, and %s is left as it was%n", target);
        return Main.DONE;
      }
      model(
              dataset,
              prepared,
              network,
              result,
              provenance(engine.description(), dataset, options, result))
          .save(target);
      Optional<Metrics> metrics =
          tested.map(
              samples ->
                  Metrics.of(
                      network.output(),
                      Inference.logits(engine, result.parameters(), samples.features()),
                      samples));
      Map<String, Object> summary =
          summary(
              engine.description(), network, options, prepared, dataset, result, metrics, target);
      if (report != null) {
        HtmlReport.write(report, summary, result.epochs());
      }
      tell(result, metrics, prepared, target);
      if (json) {
        out.println(Json.of(summary));
      }
      return Main.DONE;
    }
  }

  private Preparation prepare(Dataset dataset) {
    Normalization chosen =
        normalization != null
            ? normalization
            : dataset.image() ? Normalization.GLOBAL : Normalization.COLUMN;
    double heldOut = test != null ? 0 : testShare != null ? testShare : 0.2;
    try {
      return Preparation.of(dataset, networkOptions.output, chosen, heldOut, validationShare, seed);
    } catch (IllegalArgumentException e) {
      throw new InputException(
          "%s: its rows, %d in all, cannot be split by these shares: %s"
              .formatted(data, dataset.rows(), e.getMessage()),
          e);
    }
  }

  private Samples readTest(Dataset dataset, Preparation prepared) {
    // The label of a file with a header is found by its name, that of images beside them.
    CsvOptions options = dataOptions.csv();
    if (dataset.header() || dataset.image()) {
      options = new CsvOptions(options.header(), Optional.empty(), options.delimiter());
    }
    return prepared.prepare(Datasets.read(test, options, dataset.layout(true)));
  }

  private Network network(Dataset dataset, Preparation prepared) {
    try {
      return new Network(
          dataset.inputs(),
          networkOptions.hidden(),
          networkOptions.activation,
          prepared.targets().columns(),
          networkOptions.output);
    } catch (IllegalArgumentException e) {
      throw unusable(e.getMessage());
    }
  }

  private TrainingOptions options(int rows) {
    if (batch != null && batch > rows) {
      throw unusable(
          "--batch %d is larger than the %d training rows of %s".formatted(batch, rows, data));
    }
    try {
      return new TrainingOptions(
          epochs,
          batch != null ? batch : Math.min(TrainingOptions.DEFAULT.batchSize(), rows),
          optimizer.rule(),
          learningRate != null ? learningRate : optimizer.learningRate(),
          schedule,
          weightDecay != null ? weightDecay : optimizer.weightDecay(),
          patience,
          seed,
          placement);
    } catch (IllegalArgumentException e) {
      throw unusable(e.getMessage());
    }
  }

  private TrainingResult train(
      Engine engine, Network network, TrainingOptions options, Preparation prepared) {
    Interruption interruption = Main.interruption(spec);
    try (ProgressReporter progress =
        new ProgressReporter(err, options.epochs(), prepared.training().rows())) {
      interruption.await(); // from here on Ctrl-C ends training, and then saves the model
      return new Trainer(engine, options, progress, interruption::requested)
          .train(Parameters.initialise(network, seed), prepared.training(), prepared.validation());
    }
  }

  private static Model model(
      Dataset dataset,
      Preparation prepared,
      Network network,
      TrainingResult result,
      Map<String, String> provenance) {
    try {
      return new Model(
          network,
          result.parameters(),
          prepared.inputs(),
          prepared.targets(),
          dataset.featureNames(),
          dataset.labels().orElseThrow().name(),
          dataset.header(),
          provenance);
    } catch (IllegalArgumentException e) {
      throw new TrainingException(
          "no model is saved: its " + e.getMessage() + "; try a smaller --lr");
    }
  }

  private void tell(
      TrainingResult result, Optional<Metrics> metrics, Preparation prepared, Path target) {
    out.printf(
        Locale.ROOT,
        "trained %d epochs in %.1f s, %,.0f rows/s; %s%n",
        result.epochs().size(),
        result.seconds(),
        result.samplesPerSecond(),
        ending(result));
    metrics.ifPresent(m -> out.println("held out: " + MetricsText.line(m, prepared.targets())));
    metrics.ifPresent(m -> MetricsText.warn(m, err));
    out.println("saved " + target);
    if (result.ending() == Ending.STOPPED) {
      err.println(
          "stopped by Ctrl-C; "
              + (result.bestEpoch() == 0
                  ? "no epoch was done, and the parameters of this moment are saved in "
                  : "the best model so far is saved in ")
              + target);
    } else if (result.ending() == Ending.DIVERGED) {
      err.println(
          "the loss was no longer finite in the last epoch; the best model before is saved in "
              + target
              + "; try a smaller --lr");
    }
  }

  private static String ending(TrainingResult result) {
    // Without validation no epoch is better than another, and the last one counts.
    String kept =
        (Double.isNaN(result.validationLoss()) ? "epoch " : "best epoch ") + result.bestEpoch();
    return switch (result.ending()) {
      case COMPLETED -> kept;
      case EARLY -> kept + ", ended early as the validation loss no longer fell";
      case DIVERGED -> kept + ", ended as the loss was no longer finite";
      case STOPPED -> result.bestEpoch() == 0 ? "stopped in the first epoch" : kept + ", stopped";
    };
  }

  private Map<String, Object> summary(
      EngineDescription engine,
      Network network,
      TrainingOptions options,
      Preparation prepared,
      Dataset dataset,
      TrainingResult result,
      Optional<Metrics> metrics,
      Path target) {
    Map<String, Object> summary = new LinkedHashMap<>();
    summary.put("engine", engine.engine());
    summary.put("device", engine.device());
    summary.put("precision", engine.precision().spelling());
    summary.put("data", dataset.source());
    summary.put("stack", network.stack());
    summary.put("activation", network.activation().spelling());
    summary.put("output", network.output().spelling());
    summary.put("parameters", network.parameters());
    summary.put("optimizer", optimizer.name().toLowerCase(Locale.ROOT));
    summary.put("learning_rate", options.learningRate());
    summary.put("lr_schedule", schedule.spelling());
    summary.put("weight_decay", options.weightDecay());
    summary.put("batch", options.batchSize());
    summary.put("seed", seed);
    summary.put("training_rows", prepared.training().rows());
    summary.put("validation_rows", prepared.validation().map(Samples::rows).orElse(0));
    summary.put("data_on", result.placement().spelling());
    summary.put("epochs", result.epochs().size());
    summary.put("best_epoch", result.bestEpoch());
    summary.put("ending", result.ending().name().toLowerCase(Locale.ROOT));
    summary.put("train_loss", result.trainLoss());
    summary.put("validation_loss", result.validationLoss());
    metrics.ifPresent(m -> MetricsText.put(summary, m, prepared.targets()));
    summary.put("samples_per_second", result.samplesPerSecond());
    summary.put("seconds", result.seconds());
    summary.put("model", target.toString());
    return summary;
  }

  private Map<String, String> provenance(
      EngineDescription engine, Dataset dataset, TrainingOptions options, TrainingResult result) {
    Map<String, String> provenance = new LinkedHashMap<>();
    provenance.put("deltarule", Main.Version.current());
    provenance.put("engine", engine.engine());
    provenance.put("device", engine.device());
    provenance.put("precision", engine.precision().spelling());
    provenance.put("seed", Long.toString(seed));
    provenance.put("data", dataset.source());
    provenance.put("data_sha256", dataset.sha256());
    provenance.put("optimizer", optimizer.name().toLowerCase(Locale.ROOT));
    provenance.put("learning_rate", Double.toString(options.learningRate()));
    provenance.put("lr_schedule", schedule.spelling());
    provenance.put("weight_decay", Double.toString(options.weightDecay()));
    provenance.put("batch", Integer.toString(options.batchSize()));
    provenance.put("best_epoch", Integer.toString(result.bestEpoch()));
    return provenance;
  }

  /** DATA's name without its folder, .gz and the ending before that. */
  private static Path defaultModel(Path data) {
    Path name = data.getFileName();
    String stem = name == null ? "model" : name.toString();
    stem = stem.replaceFirst("(?i)(?<=.)\\.gz$", "").replaceFirst("(?<=.)\\.[^.]*$", "");
    return Path.of(stem + ".safetensors");
  }

  private ParameterException unusable(String message) {
    return new ParameterException(spec.commandLine(), message);
  }
}
