package io.deltarule.app;

import io.deltarule.data.Dataset;
import io.deltarule.data.Datasets;
import io.deltarule.model.Model;
import java.nio.file.Path;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** A saved model and a file to put through it. */
final class ModelInput {
  @Parameters(index = "0", paramLabel = "MODEL", description = "A model that train has saved.")
  private Path model;

  @Parameters(index = "1", paramLabel = "DATA", description = "A file with the model's features.")
  private Path data;

  @Mixin private DataOptionsMixin dataOptions = new DataOptionsMixin();

  Path model() {
    return model;
  }

  Path data() {
    return data;
  }

  Model load() {
    return Model.load(model);
  }

  Dataset read(Model model, boolean labelled) {
    return Datasets.read(data, dataOptions.csv(), model.layout(labelled));
  }
}
